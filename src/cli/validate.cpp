#include <fmt/format.h>

#include "cli/commands.hpp"
#include "cli/session.hpp"
#include "core/error.hpp"

namespace entrain::cli {

int validate_command(const std::vector<std::string>& configs, const CommonOptions& options) {
    std::vector<Diagnostic> found;
    for (const std::string& file : configs) {
        try {
            Configuration configuration = load_configuration(file, overrides_of(options), Scope::whole);
            const Inputs inputs = load_inputs(configuration);
            if (!options.quiet && !options.json)
                fmt::print("{}: good: {} on {} with {}, {} sequences, {} heads, d = {}\n", file, configuration.layer.mechanism,
                           configuration.substrate.kind, configuration.engine, inputs.chosen.size(), inputs.layer.heads,
                           inputs.layer.oscillator_dimension);
        } catch (const UserError& error) {
            found.insert(found.end(), error.diagnostics().begin(), error.diagnostics().end());
        }
    }
    if (!found.empty()) throw UserError{found};
    if (options.json) fmt::print("{}\n", io::Json({{"valid", true}, {"files", configs}}).dump(2));
    return done;
}

}  // namespace entrain::cli
