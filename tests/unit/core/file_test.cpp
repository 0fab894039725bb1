#include "core/file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <set>

#include "core/error.hpp"

namespace entrain {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class File : public ::testing::Test {
 protected:
    File() : folder_{fs::path{::testing::TempDir()} / ("core_file_" + std::to_string(::getpid()))} { fs::create_directories(folder_); }
    ~File() override { fs::remove_all(folder_); }

    [[nodiscard]] std::set<std::string> names() const {
        std::set<std::string> found;
        for (const auto& entry : fs::directory_iterator{folder_}) found.insert(entry.path().filename());
        return found;
    }
    static std::string refusal(const fs::path& path, std::uintmax_t max_bytes = 1000) {
        try {
            (void)read_file(path, max_bytes);
        } catch (const UserError& error) {
            return error.what();
        }
        return "";
    }

    fs::path folder_;
};

TEST_F(File, ReadsBackWhatWasWritten) {
    const std::string bytes{"a\0b\r\n\xff", 6};
    write_file_atomically(folder_ / "x", bytes);
    EXPECT_EQ(read_file(folder_ / "x"), bytes);
    write_file_atomically(folder_ / "x", "");
    EXPECT_EQ(read_file(folder_ / "x"), "");
    EXPECT_EQ(names(), std::set<std::string>{"x"});
}

TEST_F(File, RefusesWhatIsNoRegularFileOfModerateSize) {
    ASSERT_EQ(::mkfifo((folder_ / "pipe").c_str(), 0600), 0);
    std::ofstream{folder_ / "large"} << std::string(1001, 'x');
    EXPECT_EQ(refusal(folder_), folder_.string() + ": is not a regular file");
    EXPECT_EQ(refusal(folder_ / "pipe"), (folder_ / "pipe").string() + ": is not a regular file");
    EXPECT_EQ(refusal("/dev/zero"), "/dev/zero: is not a regular file");
    EXPECT_EQ(refusal(folder_ / "large"), (folder_ / "large").string() + ": has 1001 bytes (expected at most 1000)");
    EXPECT_EQ(refusal(folder_ / "none"), (folder_ / "none").string() + ": cannot be opened: No such file or directory");
}

TEST_F(File, NeedsTheFolderAndNamesTheFile) {
    try {
        write_file_atomically(folder_ / "none" / "x", "text");
        FAIL() << "nothing thrown";
    } catch (const std::runtime_error& error) {
        EXPECT_EQ(error.what(), "cannot write " + (folder_ / "none" / "x").string() + ": No such file or directory");
    }
    EXPECT_TRUE(names().empty());
}

TEST_F(File, LeavesTheOldFileAndNoTemporaryOneWhenWritingFails) {
    write_file_atomically(folder_ / "x", "old");
    EXPECT_THROW(write_then_rename(folder_ / "x",
                                   [](const fs::path& temporary) {
                                       std::ofstream{temporary} << "half";
                                       throw std::runtime_error{"disk full"};
                                   }),
                 std::runtime_error);
    EXPECT_EQ(read_file(folder_ / "x"), "old");
    EXPECT_EQ(names(), std::set<std::string>{"x"});
}

/// What a write of `bytes` says when files may have 4 KiB, said by a child process: limits stay.
void write_beyond_the_limit(const fs::path& path, std::size_t bytes) {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{4096, 4096};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    try {
        write_file_atomically(path, std::string(bytes, 'x'));
    } catch (const std::exception& error) {
        std::fputs(error.what(), stderr);
        std::exit(1);
    }
    std::exit(0);
}

TEST_F(File, FullDiskIsAnErrorAndLeavesTheOldFile) {
    write_file_atomically(folder_ / "x", "old");
    EXPECT_EXIT(write_beyond_the_limit(folder_ / "x", 4096), ::testing::ExitedWithCode(0), "");
    EXPECT_EQ(read_file(folder_ / "x"), std::string(4096, 'x'));
    EXPECT_EXIT(write_beyond_the_limit(folder_ / "x", 4097), ::testing::ExitedWithCode(1), "cannot write .*/x: File too large");
    EXPECT_EQ(read_file(folder_ / "x"), std::string(4096, 'x'));
    EXPECT_EQ(names(), std::set<std::string>{"x"});
}

TEST_F(File, WhatKilledWritersLeftIsRemoved) {
    std::ofstream{temporary_name(folder_ / "x")} << "half";
    fs::create_directories(temporary_name(folder_ / "y") / "z");
    for (const char* other : {"x", "notes.tmp", "a-1.tmp"}) std::ofstream{folder_ / other} << "whole";
    remove_temporary_files(folder_);
    EXPECT_EQ(names(), (std::set<std::string>{"x", "notes.tmp", "a-1.tmp"}));
    remove_temporary_files(folder_ / "none");
}

TEST_F(File, LeavesNoTemporaryFileWhenTheNameIsTaken) {
    fs::create_directories(folder_ / "x" / "y");
    EXPECT_THROW(write_file_atomically(folder_ / "x", "text"), std::runtime_error);
    EXPECT_EQ(names(), std::set<std::string>{"x"});
}

TEST_F(File, TemporaryNamesDifferPerWriterAndStayInTheFolder) {
    const fs::path first = temporary_name(folder_ / "x");
    const fs::path second = temporary_name(folder_ / "x");
    EXPECT_NE(first, second);
    EXPECT_EQ(first.parent_path(), folder_);
    EXPECT_EQ(first.extension(), ".tmp");
    EXPECT_THAT(first.string(), HasSubstr(std::to_string(::getpid()))) << "two processes may write the same file";
}

}  // namespace
}  // namespace entrain
