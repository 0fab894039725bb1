#include "engines/ngspice/protocol.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <type_traits>

namespace entrain::engines::ngspice {

namespace {

constexpr std::size_t first_piece = 1U << 20;  // of a payload: most come whole

/// Moves all bytes with `move` = send or recv, waiting for `events` where they would block; false when the other end is gone.
template <class Byte, class Move>
bool move_all(Byte* bytes, std::size_t count, short events, const Wait& wait, Move move) {
    while (count > 0) {
        const ssize_t moved = move(bytes, count, wait ? MSG_DONTWAIT : 0);
        if (moved < 0 && errno == EINTR) continue;
        if (moved < 0 && errno == EAGAIN && wait) {
            wait(events);
            continue;
        }
        if (moved <= 0) return false;
        bytes += moved;
        count -= static_cast<std::size_t>(moved);
    }
    return true;
}

bool send_all(int descriptor, const char* bytes, std::size_t count, const Wait& wait) {
    // A peer that died must be an answer, not a SIGPIPE.
    return move_all(bytes, count, POLLOUT, wait,
                    [&](const char* from, std::size_t n, int flags) { return ::send(descriptor, from, n, flags | MSG_NOSIGNAL); });
}

bool receive_all(int descriptor, char* bytes, std::size_t count, const Wait& wait) {
    return move_all(bytes, count, POLLIN, wait, [&](char* to, std::size_t n, int flags) { return ::recv(descriptor, to, n, flags); });
}

/// The fields of a message in their order, once for both directions: `each` packs or unpacks one. M is a message, const when it is packed.
template <class M, class Each>
void fields(M& message, Each&& each) {
    using Message = std::remove_const_t<M>;
    if constexpr (std::is_same_v<Message, Load>) {
        each(message.lines);
        if constexpr (!std::is_const_v<M>) message.signals.clear();
        std::uint64_t count = message.signals.size();
        each(count);
        for (std::uint64_t i = 0; i < count; ++i) {
            if constexpr (!std::is_const_v<M>) message.signals.emplace_back();  // one at a time: a lying count ends with the bytes
            auto& signal = message.signals[i];
            each(signal.plus);
            each(signal.minus);
            each(signal.power);
            each(signal.current);
            each(signal.supply_v);
            each(signal.clock_shift);
        }
        if constexpr (!std::is_const_v<M>) message.sources.clear();
        count = message.sources.size();
        each(count);
        for (std::uint64_t i = 0; i < count; ++i) {
            if constexpr (!std::is_const_v<M>) message.sources.emplace_back();
            auto& source = message.sources[i];
            each(source.phasor);
            each(source.offset_hz);
            each(source.noise_rms);
            each(source.noise_seed);
            each(source.harmonics);
            each(source.pulses);
        }
        each(message.frequency);
        each(message.stop_time);
        each(message.step);
        each(message.harmonics);
        each(message.waves);
        each(message.warm_up);
        each(message.behavior);
    } else if constexpr (std::is_same_v<Message, Advance>) {
        each(message.until);
        each(message.phasors);
    } else if constexpr (std::is_same_v<Message, Status>) {
        each(message.category);
        each(message.message);
        each(message.time);
        each(message.points);
        each(message.newton_iterations);
    } else {
        static_assert(std::is_same_v<Message, Periods>);
        each(message.first);
        each(message.count);
        each(message.values);
    }
}

template <class Message>
std::string packed(const Message& message) {
    Packer p;
    fields(message, [&](const auto& field) { p.put(field); });
    return p.bytes();
}

template <class Message>
Message unpacked(std::string_view bytes) {
    Unpacker u{bytes};
    Message message;
    fields(message, [&](auto& field) { u.get(field); });
    return message;
}

}  // namespace

std::string pack(const Load& load) { return packed(load); }
std::string pack(const Advance& advance) { return packed(advance); }
std::string pack(const Status& status) { return packed(status); }
std::string pack(const Periods& periods) { return packed(periods); }

Load unpack_load(std::string_view bytes) { return unpacked<Load>(bytes); }
Advance unpack_advance(std::string_view bytes) { return unpacked<Advance>(bytes); }
Status unpack_status(std::string_view bytes) { return unpacked<Status>(bytes); }
Periods unpack_periods(std::string_view bytes) { return unpacked<Periods>(bytes); }

bool send_frame(int descriptor, Tag tag, std::string_view payload, const Wait& wait) {
    char header[5];
    const auto length = static_cast<std::uint32_t>(payload.size());
    std::memcpy(header, &length, sizeof length);
    header[4] = static_cast<char>(tag);
    return payload.size() <= max_frame && send_all(descriptor, header, sizeof header, wait) &&
           send_all(descriptor, payload.data(), payload.size(), wait);
}

bool receive_frame(int descriptor, Frame& frame, const Wait& wait) {
    char header[5];
    if (!receive_all(descriptor, header, sizeof header, wait)) return false;
    std::uint32_t length = 0;
    std::memcpy(&length, header, sizeof length);
    if (length > max_frame) return false;
    frame.tag = static_cast<Tag>(header[4]);
    frame.payload.clear();
    while (frame.payload.size() < length) {
        const std::size_t held = frame.payload.size();
        const std::size_t piece = std::min<std::size_t>(length - held, std::max(held, first_piece));
        frame.payload.resize(held + piece);
        if (!receive_all(descriptor, frame.payload.data() + held, piece, wait)) return false;
    }
    return true;
}

}  // namespace entrain::engines::ngspice
