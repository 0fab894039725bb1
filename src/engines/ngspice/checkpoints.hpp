#pragma once
#include <filesystem>
#include <optional>
#include <string>

#include "engines/ngspice/chunk_run.hpp"

namespace entrain::engines::ngspice {

/// Finished chunks of a run as files DIR/<key>.chunk. The key is the hash of everything the numbers of a chunk depend on: the program and its
/// simulator, what the worker is given and how trajectories are judged. So a file is either that of this very chunk or of no use, whatever became of
/// the configuration in between. A file holds up to 4,096 samples of 24 bytes per oscillator.
class Checkpoints {
 public:
    /// `program` writes the chunks and `simulator` makes their numbers: those of others are not found.
    Checkpoints(std::filesystem::path folder, const std::string& program, const std::string& simulator);

    /// The outcome stored for the chunk of `run`; nothing if there is none, if it is damaged, or if waves are wanted that its rawfile does not hold.
    [[nodiscard]] std::optional<ChunkOutcome> find(const ChunkRun& run) const;

    /// Stores a good outcome; std::runtime_error naming the file if it cannot be written.
    void store(const ChunkRun& run, const ChunkOutcome& outcome) const;

 private:
    [[nodiscard]] std::string key(const ChunkRun& run) const;
    [[nodiscard]] std::filesystem::path file(const std::string& key) const { return folder_ / (key + ".chunk"); }

    std::filesystem::path folder_;
    std::string makers_;
};

}  // namespace entrain::engines::ngspice
