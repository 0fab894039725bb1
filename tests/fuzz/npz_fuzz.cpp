// Feeds arbitrary bytes to the npz reader: the answer is tensors whose values fit their shapes, or a UserError. Input that begins with "PK" is an
// archive; other input is put into one as a stored member with its right checksum, which a mutation alone would hardly ever hit.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "core/error.hpp"
#include "io/tensors.hpp"
#include "unit/io/tensor_bytes.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace entrain;
    std::string bytes{reinterpret_cast<const char*>(data), size};
    if (!bytes.starts_with("PK")) bytes = test::zip({{"a.npy", bytes}});
    try {
        const auto file = io::TensorFile::from_bytes(bytes, "fuzz.npz");
        for (const auto& name : file.names()) {
            const io::Tensor tensor = file.get(name);
            std::size_t count = 1;
            for (const std::size_t dimension : tensor.shape) count *= dimension;
            if (tensor.values.size() != count) std::abort();
        }
    } catch (const UserError&) {
    }
    return 0;
}
