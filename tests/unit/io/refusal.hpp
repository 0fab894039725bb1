#pragma once
#include <gtest/gtest.h>

#include <string>

#include "core/error.hpp"
#include "io/tensors.hpp"

namespace entrain::test {

/// The message with which a file of these bytes is refused; a failure if it is accepted.
inline std::string refusal(const std::string& bytes) {
    try {
        static_cast<void>(io::TensorFile::from_bytes(bytes, "user.file"));
    } catch (const UserError& error) {
        EXPECT_EQ(error.diagnostics().front().where.file, "user.file");
        return error.what();
    }
    ADD_FAILURE() << "the file was accepted";
    return "";
}

}  // namespace entrain::test
