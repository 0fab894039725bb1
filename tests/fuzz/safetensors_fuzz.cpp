// Feeds arbitrary bytes to the safetensors reader: the answer is tensors whose values fit their shapes, or a UserError. Input that begins with '{' is
// taken for a header, followed by a line break and the data, and gets its right length in front; other input is a whole file.
#include <algorithm>
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
    if (bytes.starts_with('{')) {
        const std::size_t end = std::min(bytes.find('\n'), size);
        bytes = test::safetensors(bytes.substr(0, end), bytes.substr(std::min(end + 1, size)));
    }
    try {
        const auto file = io::TensorFile::from_bytes(bytes, "fuzz.safetensors");
        for (const auto& name : file.names()) {
            const io::Tensor tensor = file.get(name);
            std::size_t count = 1;
            for (const std::size_t dimension : tensor.shape) count *= dimension;
            if (tensor.values.size() != count) std::abort();
        }
        static_cast<void>(file.get("absent"));
    } catch (const UserError&) {
    }
    return 0;
}
