#pragma once
#include <gtest/gtest.h>

#include <string>

#include "core/error.hpp"

namespace entrain::test {

/// What the UserError says that the action throws; a failure if it throws none.
template <class Action>
std::string refused(Action&& action) {
    try {
        static_cast<void>(action());
    } catch (const UserError& error) {
        return error.what();
    }
    ADD_FAILURE() << "nothing was refused";
    return "";
}

}  // namespace entrain::test
