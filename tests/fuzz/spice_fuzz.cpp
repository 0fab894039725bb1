// Feeds arbitrary bytes through everything a foreign netlist passes: what is accepted holds only cards that may be sent to the simulator. The input
// is up to four files, separated by lines "%%": cell.cir, which is read first, then a.inc, b.lib and c.inc beside it. The last one is linked as a
// device library too.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "spice/library.hpp"

namespace {

using namespace entrain;
namespace fs = std::filesystem;

/// A folder of this process, removed when it ends.
class Folder {
 public:
    Folder() : path_{fs::temp_directory_path() / ("entrain_fuzz_spice_" + std::to_string(::getpid()))} { fs::create_directories(path_); }
    ~Folder() {
        std::error_code ignored;
        fs::remove_all(path_, ignored);
    }
    [[nodiscard]] const fs::path& path() const { return path_; }

 private:
    fs::path path_;
};

std::string_view first_word(std::string_view card) { return card.substr(0, card.find(' ')); }

/// Every card passes, none opens a file, subcircuits are balanced, and nothing but definitions stands outside them.
void check(const spice::Library& library) {
    int depth = 0;
    for (const spice::Card& card : library.cards) {
        if (!spice::refusal(card.text).empty()) std::abort();
        if (card.text.find_first_of("\n\r`$;\"\\") != std::string::npos) std::abort();
        const std::string_view word = first_word(card.text);
        if (word.starts_with(".inc") || word.starts_with(".lib") || word.starts_with(".control")) std::abort();
        if (word == ".ends" && --depth < 0) std::abort();
        if (depth == 0 && word != ".subckt" && word != ".ends" && word != ".param" && word != ".func" && word != ".model") std::abort();
        if (word == ".subckt") ++depth;
    }
    if (depth != 0) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const Folder folder;
    constexpr std::array<std::string_view, 4> names = {"cell.cir", "a.inc", "b.lib", "c.inc"};
    const std::string_view input{reinterpret_cast<const char*>(data), size};
    std::size_t begin = 0;
    static std::array<std::string, names.size()> written;  // most inputs change one file
    std::string last;
    for (std::size_t k = 0; k < names.size(); ++k) {
        const std::size_t end = std::min(input.find("%%\n", begin), size);
        const std::string_view content = input.substr(begin, end - begin);
        const fs::path file = folder.path() / names[k];
        if (content != written[k] || !fs::exists(file)) std::ofstream{file, std::ios::binary} << (written[k] = content);
        if (begin < size) last = content;
        begin = std::min(end + 3, size);
    }
    for (const char* section : {"", "tt"}) {
        try {
            const spice::Library cell = spice::read_library(folder.path() / "cell.cir", section, {});
            check(cell);
            static_cast<void>(spice::subcircuits(cell));
            const spice::Library devices = spice::read_text(last, "devices.lib");
            check(devices);
            const std::string netlist = spice::linked(cell, {devices});
            check(spice::read_text(netlist, "linked.cir"));  // what was linked is a netlist like what was read
        } catch (const UserError&) {
        }
    }
    return 0;
}
