#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace entrain {

/// Whole content of a regular file of at most `max_bytes`. UserError naming the file: missing, not a regular file (a device or pipe would never end),
/// too large, unreadable.
[[nodiscard]] std::string read_file(const std::filesystem::path& path, std::uintmax_t max_bytes = std::uintmax_t{1} << 32);

/// Writes under a temporary name in the same folder, flushes to disk and renames: readers see the old file or the new one, never a part. Throws
/// std::runtime_error
/// ("cannot write FILE: No space left on device") and removes the temporary file.
void write_file_atomically(const std::filesystem::path& path, std::string_view content);

/// Removes what killed writers left under temporary_name()s in `folder`; only for a folder that nobody else writes to at this moment.
void remove_temporary_files(const std::filesystem::path& folder);

/// A name beside `path` that no other writer uses, neither in this process nor in another one of this machine; ends in ".tmp".
[[nodiscard]] std::filesystem::path temporary_name(const std::filesystem::path& path);

/// Lets write(temporary) make a file under a temporary name in the folder of `path` and renames it to `path`; when write throws, the temporary file
/// is removed.
template <class Write>
void write_then_rename(const std::filesystem::path& path, Write&& write) {
    const std::filesystem::path temporary = temporary_name(path);
    try {
        write(temporary);
        std::filesystem::rename(temporary, path);
    } catch (...) {
        std::error_code ignored;
        std::filesystem::remove(temporary, ignored);
        throw;
    }
}

}  // namespace entrain
