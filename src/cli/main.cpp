#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <functional>
#include <limits>
#include <optional>

#include "cli/commands.hpp"
#include "core/error.hpp"

namespace {

using entrain::cli::CommonOptions;

void add_common(CLI::App& app, CommonOptions& o) {
    app.add_option("--set", o.overrides, "override a key: dotted KEY=VALUE, list index as a number (repeatable)")
        ->take_all()
        ->allow_extra_args(false);
    app.add_flag("--quiet", o.quiet, "no progress");
    app.add_option("--seed", o.seed, "study seed, overrides the file's")
        ->check(CLI::Range(std::int64_t{0}, std::numeric_limits<std::int64_t>::max()));
    app.add_flag("--json", o.json, "result as JSON on standard output, nothing else there");
}

void add_output(CLI::App& app, CommonOptions& o) {
    app.add_option("--out", o.out, "output folder (default runs/<config name>-<UTC time>)");
    app.add_flag("--force", o.force, "write into a folder that is not empty");
    app.add_option("--jobs", o.jobs, "simulations side by side (default: cores)")->check(CLI::Range(1, 1024));
}

int fail(const char* what, int status) {
    std::fputs(fmt::format("entrain: {}\n", what).c_str(), stderr);  // a full or closed standard error must not change the status
    return status;
}

/// One mistake a line; those with a place begin with it, so that editors can jump there.
int fail(const entrain::UserError& error) {
    for (const entrain::Diagnostic& d : error.diagnostics())
        std::fputs(fmt::format("{}{}\n", d.where.file.empty() ? "entrain: " : "", to_string(d)).c_str(), stderr);
    return entrain::cli::bad_input;
}

/// Runs a command and turns what it throws into the exit statuses of the contract.
int guarded(const std::function<int()>& command) {
    using namespace entrain;
    try {
        const int status = command();
        if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) return fail("standard output cannot be written", cli::internal_error);
        return status;
    } catch (const UserError& error) {
        return fail(error);
    } catch (const ModelError& error) {
        return fail(error.what(), cli::bad_input);
    } catch (const MissingComponent& error) {
        return fail(error.what(), cli::internal_error);
    } catch (const Interrupted& error) {
        return fail(error.what(), cli::interrupted);
    } catch (const std::exception& error) {
        return fail(fmt::format("internal error: {}", error.what()).c_str(), cli::internal_error);
    }
}

}  // namespace

int main(int argc, char** argv) {
    std::signal(SIGXFSZ, SIG_IGN);  // a limit on file sizes is then an error of the write, as a full disk is
    CLI::App app{
        "Entrain: can attention be computed by oscillators, and at what cost? Lowers a trained attention layer into an oscillator circuit, simulates "
        "it, reads it out and checks it.",
        "entrain"};
    app.require_subcommand(1);
    app.set_help_all_flag("--help-all", "help of every command");
    CommonOptions options;
    std::string config;
    std::vector<std::string> configs;
    std::optional<int> head;
    std::optional<int> token;
    std::string kind;
    std::string name;
    std::function<int()> command;
    const auto with_config = [&](CLI::App* sub) { sub->add_option("CONFIG", config, "experiment file (YAML)")->required(); };

    auto* run = app.add_subcommand("run", "one layer on one substrate with one engine");
    run->add_option("CONFIG", config, "experiment file (YAML)");
    add_common(*run, options);
    add_output(*run, options);
    run->add_flag("--dry-run", options.dry_run, "say what would be simulated, and how long it would take");
    run->add_option("--waves", options.waves, "record these nodes as a rawfile (comma separated)")->delimiter(',')->allow_extra_args(false);
    run->add_option("--resume", options.resume, "continue a run from its folder: simulate what is missing or failed");
    run->callback([&] { command = [&] { return entrain::cli::run_command(config, options); }; });

    auto* compare = app.add_subcommand("compare", "one layer on several substrates and engines, one table");
    compare->add_option("CONFIG", config, "experiment file (YAML)");
    add_common(*compare, options);
    add_output(*compare, options);
    compare->add_flag("--dry-run", options.dry_run, "say what each row would simulate, and how long it would take");
    compare->add_option("--resume", options.resume, "continue a comparison from its folder: simulate what is missing or failed");
    compare->callback([&] { command = [&] { return entrain::cli::compare_command(config, options); }; });

    auto* netlist = app.add_subcommand("netlist", "write the circuits that run simulates as stand-alone SPICE decks");
    with_config(netlist);
    add_common(*netlist, options);
    add_output(*netlist, options);
    netlist->add_option("--head", head, "only this head");
    netlist->add_option("--token", token, "only this token");
    netlist->add_option("--waves", options.waves, "all: save every node")->delimiter(',')->allow_extra_args(false);
    netlist->callback([&] { command = [&] { return entrain::cli::netlist_command(config, options, head, token); }; });

    auto* characterize = app.add_subcommand("characterize", "measure the free cell (only substrate: and engine: are needed)");
    with_config(characterize);
    add_common(*characterize, options);
    add_output(*characterize, options);
    bool no_agreement = false;
    characterize->add_flag("--no-agreement", no_agreement,
                           "do not compare the phase model with the circuit over injections and drives (up to 4 minutes)");
    characterize->callback([&] {
        using entrain::cli::AgreementReport;
        command = [&] {
            return entrain::cli::characterize_command(config, options, no_agreement ? AgreementReport::left_out : AgreementReport::measured);
        };
    });

    auto* validate = app.add_subcommand("validate", "check files without running");
    validate->add_option("CONFIG", configs, "experiment files (YAML)")->required();
    add_common(*validate, options);
    validate->callback([&] { command = [&] { return entrain::cli::validate_command(configs, options); }; });

    auto* describe = app.add_subcommand("describe", "option tables, generated from the code");
    describe->add_option("KIND", kind, "mechanism | substrate | engine | config");
    describe->add_option("NAME", name, "one of them, see entrain list");
    describe->callback([&] { command = [&] { return entrain::cli::describe_command(kind, name); }; });

    app.add_subcommand("list", "mechanisms, substrates, engines")->callback([&] { command = [] { return entrain::cli::list_command(); }; });
    app.add_subcommand("version", "version, git revision, ngspice and library versions")->callback([&] {
        command = [] { return entrain::cli::version_command(); };
    });

    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        const int status = app.exit(error);
        return status == 0 ? entrain::cli::done : entrain::cli::bad_input;
    }
    return guarded(command);
}
