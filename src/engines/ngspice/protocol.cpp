#include "engines/ngspice/protocol.hpp"

#include <sys/socket.h>

#include <cerrno>

namespace entrain::engines::ngspice {

namespace {

/// Moves all bytes with `move` = send or recv; false when the other end is gone.
template <class Byte, class Move>
bool move_all(Byte* bytes, std::size_t count, Move move) {
    while (count > 0) {
        const ssize_t moved = move(bytes, count);
        if (moved < 0 && errno == EINTR) continue;
        if (moved <= 0) return false;
        bytes += moved;
        count -= static_cast<std::size_t>(moved);
    }
    return true;
}

bool send_all(int descriptor, const char* bytes, std::size_t count) {
    // A peer that died must be an answer, not a SIGPIPE.
    return move_all(bytes, count, [&](const char* from, std::size_t n) { return ::send(descriptor, from, n, MSG_NOSIGNAL); });
}

bool receive_all(int descriptor, char* bytes, std::size_t count) {
    return move_all(bytes, count, [&](char* to, std::size_t n) { return ::recv(descriptor, to, n, 0); });
}

}  // namespace

std::string pack(const Load& load) {
    Packer p;
    p.put(load.lines);
    p.put(static_cast<std::uint64_t>(load.signals.size()));
    for (const Signal& s : load.signals) {
        p.put(s.plus);
        p.put(s.minus);
        p.put(s.power);
        p.put(s.current);
        p.put(s.supply_v);
    }
    p.put(load.sources);
    p.put(load.frequency);
    p.put(load.stop_time);
    p.put(load.harmonics);
    p.put(load.waves);
    return p.bytes();
}

Load unpack_load(std::string_view bytes) {
    Unpacker u{bytes};
    Load load;
    u.get(load.lines);
    std::uint64_t signals = 0;
    u.get(signals);
    for (std::uint64_t i = 0; i < signals; ++i) {
        Signal s;
        u.get(s.plus);
        u.get(s.minus);
        u.get(s.power);
        u.get(s.current);
        u.get(s.supply_v);
        load.signals.push_back(std::move(s));
    }
    u.get(load.sources);
    u.get(load.frequency);
    u.get(load.stop_time);
    u.get(load.harmonics);
    u.get(load.waves);
    return load;
}

std::string pack(const Advance& advance) {
    Packer p;
    p.put(advance.until);
    p.put(advance.phasors);
    return p.bytes();
}

Advance unpack_advance(std::string_view bytes) {
    Unpacker u{bytes};
    Advance advance;
    u.get(advance.until);
    u.get(advance.phasors);
    return advance;
}

std::string pack(const Status& status) {
    Packer p;
    p.put(status.category);
    p.put(status.message);
    p.put(status.finished);
    p.put(status.time);
    p.put(status.points);
    return p.bytes();
}

Status unpack_status(std::string_view bytes) {
    Unpacker u{bytes};
    Status status;
    u.get(status.category);
    u.get(status.message);
    u.get(status.finished);
    u.get(status.time);
    u.get(status.points);
    return status;
}

std::string pack(const Periods& periods) {
    Packer p;
    p.put(periods.first);
    p.put(periods.count);
    p.put(periods.values);
    return p.bytes();
}

Periods unpack_periods(std::string_view bytes) {
    Unpacker u{bytes};
    Periods periods;
    u.get(periods.first);
    u.get(periods.count);
    u.get(periods.values);
    return periods;
}

bool send_frame(int descriptor, Tag tag, std::string_view payload) {
    char header[5];
    const auto length = static_cast<std::uint32_t>(payload.size());
    std::memcpy(header, &length, sizeof length);
    header[4] = static_cast<char>(tag);
    return payload.size() <= max_frame && send_all(descriptor, header, sizeof header) && send_all(descriptor, payload.data(), payload.size());
}

bool receive_frame(int descriptor, Frame& frame) {
    char header[5];
    if (!receive_all(descriptor, header, sizeof header)) return false;
    std::uint32_t length = 0;
    std::memcpy(&length, header, sizeof length);
    if (length > max_frame) return false;
    frame.tag = static_cast<Tag>(header[4]);
    frame.payload.resize(length);
    return receive_all(descriptor, frame.payload.data(), length);
}

}  // namespace entrain::engines::ngspice
