#pragma once
#include <cstdint>

namespace entrain::engines::ngspice {

/// Bounds what the process may take from the machine: memory_bytes of address space (not in AddressSanitizer builds, whose shadow memory is larger
/// than any sensible limit), no core file, no further process or thread. To be called before the simulator starts.
void limit_resources(std::uint64_t memory_bytes);

/// Ends the process as soon as the other end of `socket` is closed, also in the middle of a simulation. A parent-death signal would not do: it comes
/// when the *thread* that started the process ends.
void end_with_peer(int socket);

/// Takes away everything that a simulation does not need, for good: from here on the process can compute, tell the time and talk over descriptors
/// up to `last_descriptor`, which it already holds. Opening a file fails with EACCES; a request for a program, a process, a thread, a connection, a
/// change of files or executable memory kills the process (SIGSYS). std::runtime_error says why if the kernel does not grant this.
void confine(int last_descriptor);

}  // namespace entrain::engines::ngspice
