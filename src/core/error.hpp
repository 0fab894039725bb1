#pragma once
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace entrain {

/// A place in a file from a user; line and column count from 1, 0 means unknown.
struct Location {
    std::string file;
    int line = 0;
    int column = 0;
    bool operator==(const Location&) const = default;
};

/// One mistake of a user: where, what is wrong and what was expected.
struct Diagnostic {
    Location where;
    std::string message;
};

/// "file:line:col: message"; parts that are unknown are left out.
[[nodiscard]] std::string to_string(const Diagnostic& diagnostic);

/// Mistakes in usage, configuration or input files: exit status 2, nothing is written. Carries all mistakes found.
class UserError : public std::runtime_error {
 public:
    explicit UserError(std::vector<Diagnostic> diagnostics);
    UserError(Location where, std::string message);
    explicit UserError(std::string message);
    [[nodiscard]] const std::vector<Diagnostic>& diagnostics() const { return diagnostics_; }

 private:
    std::vector<Diagnostic> diagnostics_;
};

/// Collects mistakes so that all of them are reported at once.
class Diagnostics {
 public:
    void add(Location where, std::string message) { found_.push_back({std::move(where), std::move(message)}); }
    [[nodiscard]] bool empty() const { return found_.empty(); }
    [[nodiscard]] const std::vector<Diagnostic>& found() const { return found_; }
    void throw_if_any() const;  ///< UserError with everything found

 private:
    std::vector<Diagnostic> found_;
};

/// Physics outside validity: names substrate, quantity, limit. A physically impossible cell is exit 2 in `run`, a failed row in `compare`.
class ModelError : public std::runtime_error {
 public:
    using std::runtime_error::runtime_error;
};

/// A component that is not installed or does not work (the worker executable, ngspice): exit status 3, the text names the package to install.
class MissingComponent : public std::runtime_error {
 public:
    using std::runtime_error::runtime_error;
};

/// Ctrl-C: what is done is kept, exit status 130.
class Interrupted : public std::runtime_error {
 public:
    Interrupted() : std::runtime_error{"interrupted"} {}
};

/// Foreign text for a message: in single quotes, line breaks and other control characters as escapes, cut after 60 bytes.
[[nodiscard]] std::string shown(std::string_view text);

/// The candidate closest to `word` regardless of case (Damerau-Levenshtein distance at most a third of the length, at least 2), or "".
[[nodiscard]] std::string closest(const std::string& word, const std::vector<std::string>& candidates);

/// " Did you mean 'x'?" or "".
[[nodiscard]] std::string did_you_mean(const std::string& word, const std::vector<std::string>& candidates);

}  // namespace entrain
