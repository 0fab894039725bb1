#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <sstream>

#include "core/error.hpp"
#include "core/sha256.hpp"
#include "spice/library.hpp"
#include "substrates/cell_array.hpp"
#include "substrates/user/plugin.hpp"

namespace entrain::substrates::user {

namespace {

constexpr double unknown = std::numeric_limits<double>::quiet_NaN();

/// Pins as `ports:` names them, lower case.
struct Ports {
    std::string inject;
    std::string read;
    std::string supply;
    std::string ground;
    std::string open;

    void describe(FieldVisitor& v) {
        v.text("inject", inject, "pin into which current is injected, or two: into the first, out of the second");
        v.text("read", read, "pin whose voltage's fundamental is the phase, or two: first minus second");
        v.text("supply", supply, "pin of the positive supply, one ideal source per cell; without one the cell's own power is not known");
        v.text("ground", ground, "pins at ground");
        v.text("open", open, "pins left open");
    }
};

std::vector<std::string> words_of(const std::string& text) {
    std::istringstream stream{text};
    std::vector<std::string> words;
    for (std::string word; stream >> word;) {
        std::ranges::transform(word, word.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        words.push_back(word);
    }
    return words;
}

bool is_word(std::string_view name) {
    return !name.empty() && std::ranges::all_of(name, [](unsigned char c) { return std::isalnum(c) != 0 || c == '_'; });
}

/// What makes the linked netlist depend on time, "" if nothing does: cells are started at a phase by shifting their clock. A PULSE or PWL may give
/// the first push, which is over when they have warmed up.
std::string time_dependence(const std::string& text) {
    std::istringstream lines{text};
    for (std::string line; std::getline(lines, line);) {
        if (line.empty() || line.front() == '.') continue;
        std::ranges::replace_if(
            line, [](unsigned char c) { return std::isalnum(c) == 0 && c != '_' && c != '.' && c != '#'; }, ' ');
        for (const std::string& word : words_of(line)) {
            const bool waveform = word == "sin" || word == "sffm" || word == "am";
            if (word == "time" || word == "hertz" || (waveform && (line.front() == 'v' || line.front() == 'i')))
                return fmt::format("{} in {}", word, line);
        }
    }
    return "";
}

/// Numbers of a netlist without a scale factor.
std::optional<double> plain_number(std::string_view text) {
    double value = 0.0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
    return value;
}

class UserArray final : public CellArray {
 public:
    UserArray();

    void describe(FieldVisitor& v) override;
    [[nodiscard]] bool from_user_files() const override { return true; }
    [[nodiscard]] UserFilesRead read_files(const UserFiles& files) override;
    [[nodiscard]] std::string cell() const override { return subcircuit_.name; }

 private:
    void choose_subcircuit(const spice::Library& library);
    void connect();
    [[nodiscard]] std::string place_of(const std::string& pin, std::string_view port) const;
    [[nodiscard]] CellDesign design(const Corner& corner) const;

    // As configured.
    std::string netlist_;
    std::string name_;
    Ports ports_;
    Volts supply_voltage_{0.0};
    Amperes reference_current_{0.0};
    std::string speed_parameter_;
    std::string behavior_;

    // As read.
    spice::Subcircuit subcircuit_;
    std::string text_;
    double scale_ = 1.0;
    problem::CellInterface interface_;
};

UserArray::UserArray()
    : CellArray{Technology{
          .name = "user",
          .cells = {{"", "", [this](const Corner& corner, problem::Summing) { return design(corner); }}},
          .reference_current_doc = "(by default the current whose K is w0)",
          .rate_doc = "injection, unless reference_current is given",
          .default_injection = {},
          .default_coupling_rate = 0.05,
          .injection_range = {0.0, 1e3, true},
          .injection_limit_doc = "that is no small current",
          .parameters = {},
          .points_per_period = 50,
          .resistive = false,
          .no_resistive_doc = "it needs to know what the cell's pins may be loaded with",
      }} {}

void UserArray::describe(FieldVisitor& v) {
    v.text("netlist", netlist_, "SPICE file with the .subckt of the cell; relative to the configuration");
    v.text("subcircuit", name_, "which of its subcircuits; default: the only one, or the one that has the pins of `ports`");
    v.section(
        "ports", [this](FieldVisitor& s) { ports_.describe(s); }, "pins of the subcircuit, each pin once or as inject and read");
    v.quantity("supply_voltage", supply_voltage_, {0.0, 1e4}, "at ports.supply");
    v.quantity("reference_current", reference_current_, non_negative,
               "what injection is a fraction of; 0 A: the current whose K is w0 to first order, as measured");
    v.text("speed_parameter", speed_parameter_,
           "parameter of the subcircuit to which its frequency is exactly proportional, for frequency_disorder; none: there is no disorder");
    v.choice("ngbehavior", behavior_, {{"none", ""}, {"ps", "ps"}, {"hs", "hs"}, {"hsa", "hsa"}, {"psa", "psa"}, {"lt", "lt"}, {"lta", "lta"}},
             "compatibility mode in which ngspice reads the files");
    CellArray::describe(v);
}

/// The subcircuit `name_`, or the only one that fits.
void UserArray::choose_subcircuit(const spice::Library& library) {
    const std::vector<spice::Subcircuit> all = spice::subcircuits(library);
    std::vector<std::string> names;
    for (const spice::Subcircuit& s : all) names.push_back(s.name);
    if (all.empty()) throw UserError{Location{netlist_}, "no .subckt in this file (expected the subcircuit of a cell)"};
    if (!name_.empty()) {
        const auto wanted = words_of(name_);
        const auto found = std::ranges::find(all, wanted.size() == 1 ? wanted.front() : name_, &spice::Subcircuit::name);
        if (found == all.end())
            throw UserError{fmt::format("substrate.subcircuit: there is no '{}' in {} (expected {}).{}", name_, netlist_, fmt::join(names, " | "),
                                        did_you_mean(name_, names))};
        subcircuit_ = *found;
        return;
    }
    std::vector<spice::Subcircuit> fitting;
    for (const spice::Subcircuit& s : all) {
        const auto has = [&](const std::string& pin) { return std::ranges::find(s.pins, pin) != s.pins.end(); };
        bool fits = true;
        for (const std::string* port : {&ports_.inject, &ports_.read, &ports_.supply, &ports_.ground, &ports_.open})
            for (const std::string& pin : words_of(*port)) fits = fits && (pin == "0" || has(pin));
        if (fits) fitting.push_back(s);
    }
    if (all.size() > 1 && fitting.size() != 1)
        throw UserError{
            fmt::format("substrate.subcircuit: {} has several subcircuits ({}), {} of which have the pins that ports names (expected the "
                        "name of the cell)",
                        netlist_, fmt::join(names, ", "), fitting.size())};
    subcircuit_ = all.size() == 1 ? all.front() : fitting.front();
}

/// Name in the interface of the pin that `port` names: names of a foreign netlist may be no words.
std::string UserArray::place_of(const std::string& pin, std::string_view port) const {
    if (pin == "0") return pin;
    const auto found = std::ranges::find(subcircuit_.pins, pin);
    if (found == subcircuit_.pins.end())
        throw UserError{fmt::format("substrate.ports.{}: subcircuit {} has no pin '{}' (expected one or two of {}).{}", port, subcircuit_.name, pin,
                                    fmt::join(subcircuit_.pins, ", "), did_you_mean(pin, subcircuit_.pins))};
    if (is_word(pin)) return pin;
    std::string name = fmt::format("pin{}", found - subcircuit_.pins.begin());
    while (std::ranges::find(subcircuit_.pins, name) != subcircuit_.pins.end()) name += '_';
    return name;
}

/// Connects every pin of the subcircuit.
void UserArray::connect() {
    const auto pair_of = [&](const std::string& text, std::string_view port) {
        const std::vector<std::string> pins = words_of(text);
        if (pins.empty() || pins.size() > 2)
            throw UserError{fmt::format("substrate.ports.{} is '{}' (expected a pin of subcircuit {}, or two: plus and minus; it has {})", port, text,
                                        subcircuit_.name, fmt::join(subcircuit_.pins, ", "))};
        return std::pair{place_of(pins[0], port), pins.size() == 2 ? place_of(pins[1], port) : std::string{"0"}};
    };
    interface_ = {};
    interface_.subcircuit = subcircuit_.name;
    if (!is_word(subcircuit_.name))
        throw UserError{subcircuit_.where, fmt::format("subcircuit '{}': letters, digits and _ are expected", subcircuit_.name)};
    std::tie(interface_.inject_plus, interface_.inject_minus) = pair_of(ports_.inject, "inject");
    std::tie(interface_.read_plus, interface_.read_minus) = pair_of(ports_.read, "read");
    if (const auto supply = words_of(ports_.supply); !supply.empty()) {
        if (supply.size() > 1) throw UserError{fmt::format("substrate.ports.supply is '{}' (expected one pin)", ports_.supply)};
        if (!(supply_voltage_.value() > 0.0))
            throw UserError{"substrate.supply_voltage is missing (expected the voltage at ports.supply, for example 1.2 V)"};
        interface_.supply_pin = place_of(supply.front(), "supply");
        interface_.supply_v = supply_voltage_.value();
        for (const std::string* other : {&interface_.inject_plus, &interface_.read_plus})
            if (*other == interface_.supply_pin)
                throw UserError{"substrate.ports: the supply pin is held by an ideal source, it is no port for current or phase"};
    }
    std::vector<std::string> grounded;
    for (const std::string& pin : words_of(ports_.ground)) grounded.push_back(place_of(pin, "ground"));
    std::vector<std::string> open;
    for (const std::string& pin : words_of(ports_.open)) open.push_back(place_of(pin, "open"));
    for (const std::string& pin : subcircuit_.pins) {
        const std::string place = place_of(pin, "");
        const bool ground = std::ranges::find(grounded, place) != grounded.end();
        std::vector<std::string> used = open;
        for (const std::string& port :
             {interface_.inject_plus, interface_.inject_minus, interface_.read_plus, interface_.read_minus, interface_.supply_pin})
            used.push_back(port);
        if (!ground && std::ranges::find(used, place) == used.end())
            throw UserError{
                fmt::format("substrate.ports: pin '{}' of subcircuit {} is not connected (expected it in inject, read, supply, ground or open)", pin,
                            subcircuit_.name)};
        interface_.pins.push_back(ground ? "0" : place);
    }
    interface_.power_source = interface_.supply_pin.empty() ? "not known: the cell names no supply pin" : "current of the cell's supply pin";
}

UserFilesRead UserArray::read_files(const UserFiles& files) {
    if (netlist_.empty()) throw UserError{"missing key 'substrate.netlist' (expected text: SPICE file with the .subckt of the cell)"};
    const spice::Access access{files.pdk_root};
    netlist_ = std::filesystem::absolute(files.folder / netlist_).lexically_normal().string();
    const spice::Library cell = spice::read_library(netlist_, "", access);
    std::vector<spice::Library> models;
    for (const UserFiles::Models& m : files.models)
        models.push_back(spice::read_library(m.file, m.section.empty() ? files.corner : m.section, access));
    choose_subcircuit(cell);
    connect();
    text_ = spice::linked(cell, models, subcircuit_.name);
    if (const std::string found = time_dependence(text_); !found.empty())
        throw UserError{Location{netlist_},
                        fmt::format("subcircuit {} depends on time ({}): a cell that something else drives has no phase of its own "
                                    "(expected an autonomous oscillator)",
                                    subcircuit_.name, found)};

    UserFilesRead read;
    std::string sums;
    scale_ = 1.0;
    models.push_back(cell);
    for (const spice::Library& library : models) {
        for (const spice::SourceFile& file : library.files) sums += file.sha256 + "\n";
        if (library.scale == 1.0) continue;
        if (scale_ != 1.0 && scale_ != library.scale)
            throw UserError{
                Location{library.files.front().path.string()},
                fmt::format(".options scale={:g} contradicts scale={:g} of another file (the simulator knows one)", library.scale, scale_)};
        scale_ = library.scale;
    }
    read.sha256 = sha256(sums);
    for (const spice::SubcircuitParameter& p : subcircuit_.parameters)
        if (is_word(p.name)) read.parameters.push_back(p.name);
    return read;
}

CellDesign UserArray::design(const Corner& corner) const {
    CellDesign design;
    design.netlist = text_;
    design.dialect = {behavior_, scale_};
    design.interface = interface_;
    for (const auto& [name, parameter] : corner) design.parameters.push_back({name, parameter.value});
    design.frequency_hz = design.relaxation_time_s = design.amplitude = unknown;
    design.rate_per_injection = reference_current_.value() > 0.0 ? unknown : 1.0;
    if (!(reference_current_.value() > 0.0)) {
        design.largest_injection = 0.5;
        design.largest_injection_doc = "K of half the frequency: a phase would change within the period it is read from";
    }
    design.reference_current = [given = reference_current_.value()](double, double) { return given > 0.0 ? given : unknown; };
    if (interface_.supply_pin.empty()) design.energy_caveat = "the cell's own power is not known: it names no supply pin";

    design.noise.missing = "the noise sources of a user's cell are not known";

    std::optional<double> speed;
    if (!speed_parameter_.empty()) {
        const auto known = std::ranges::find(subcircuit_.parameters, speed_parameter_, &spice::SubcircuitParameter::name);
        if (known != subcircuit_.parameters.end()) speed = plain_number(known->value);
        if (const auto set = corner.find(speed_parameter_); set != corner.end()) speed = set->second.value;
        if (!speed || !(*speed > 0.0) || !is_word(speed_parameter_))
            throw UserError{fmt::format("substrate.speed_parameter: '{}' is no parameter of subcircuit {} with a plain number > 0 as its default",
                                        speed_parameter_, subcircuit_.name)};
    }
    design.deviated = [speed, name = speed_parameter_](double deviation) -> std::vector<problem::Parameter> {
        if (deviation == 0.0) return {};
        if (!speed) throw ModelError{"no substrate.speed_parameter is named that would change the cell's frequency"};
        if (1.0 + deviation <= 0.0) throw ModelError{"a frequency below zero"};
        return {{name, *speed * (1.0 + deviation)}};
    };
    return design;
}

}  // namespace

std::unique_ptr<Substrate> create() { return std::make_unique<UserArray>(); }

}  // namespace entrain::substrates::user
