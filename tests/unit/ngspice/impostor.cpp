// A worker that misbehaves in the way its program name says (worker_client must survive it).
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>

#include "engines/ngspice/protocol.hpp"

namespace {

using namespace entrain::engines::ngspice;

void send_raw(const std::string& bytes) { static_cast<void>(::send(worker_descriptor, bytes.data(), bytes.size(), MSG_NOSIGNAL)); }

std::string header(std::uint32_t length, Tag tag) {
    std::string bytes(5, static_cast<char>(tag));
    std::memcpy(bytes.data(), &length, sizeof length);
    return bytes;
}

void answer(Tag tag, const std::string& payload) {
    if (!send_frame(worker_descriptor, tag, payload)) _exit(0);
}

}  // namespace

int main(int, char** arguments) {
    const std::string role = std::filesystem::path{arguments[0]}.filename().string();
    if (role == "mute") ::pause();
    if (role == "dead") return 7;
    if (role == "refuser") answer(Tag::refusal, "no filter\x1b[31m today");
    answer(Tag::hello, "impostor");
    if (role == "deaf") ::pause();
    Frame frame;
    while (receive_frame(worker_descriptor, frame)) {
        if (role == "half_frame") {
            send_raw(header(100, frame.tag) + "ten bytes.");
            ::pause();
        } else if (role == "boaster") {
            send_raw(header(max_frame, frame.tag) + "ten bytes.");
            ::pause();
        } else if (role == "giant") {
            send_raw(header(max_frame + 1, frame.tag));
            ::pause();
        } else if (role == "chatterbox") {
            while (true) answer(Tag::waves, std::string(8, '\0'));
        } else if (role == "babbler") {
            answer(frame.tag, "not a message");
        } else if (role == "inventor") {
            answer(frame.tag, pack(Status{"splendid", "", 0.0, 0}));
        } else if (role == "painter") {
            answer(frame.tag, pack(Status{"parse", "red \x1b[31m and \xff\n", 0.0, 0}));
        } else if (role == "miscounter") {
            if (frame.tag == Tag::read)
                answer(frame.tag, pack(Periods{0, 1'000'000'000'000, {1.0, 2.0, 3.0, 4.0, 5.0}}));
            else
                answer(frame.tag, pack(Status{"ok", "", 0.0, 0}));
        } else {
            answer(role == "confused" ? Tag::hello : frame.tag, "");
        }
    }
    return 0;
}
