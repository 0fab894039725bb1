#include "spice/link.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <set>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

#include "spice/expression.hpp"

namespace entrain::spice {
namespace {

constexpr std::uint32_t nowhere = std::numeric_limits<std::uint32_t>::max();

enum class Kind : std::uint8_t { parameter, function, model, subcircuit };

/// A name that a scope defines, by one card or several.
struct Symbol {
    Kind kind{};
    std::string_view name;
    Location where;                         ///< of the first definition
    std::vector<std::uint32_t> statements;  ///< that define it, if it is at the top
    std::vector<std::uint32_t> uses;        ///< symbols in its value or body; kept of parameters, functions and subcircuits, which can go in circles
    std::uint32_t inside = nowhere;         ///< of a subcircuit: its scope
    std::size_t pins = 0;
};

/// The top, or the body of a subcircuit.
struct Scope {
    std::uint32_t outer = nowhere;
    std::uint32_t subcircuit = nowhere;  ///< the symbol whose body this is
    std::unordered_map<std::string_view, std::uint32_t> symbols[4];
    std::unordered_map<std::string_view, std::vector<std::uint32_t>> bins;  ///< of `nch`: nch.1, nch.2, ...
    std::unordered_set<std::string_view> parameters;                        ///< those on the .subckt card
};

/// What is kept or dropped as a whole: a top-level subcircuit, model or function, or one parameter.
struct Statement {
    std::uint32_t begin = 0;  ///< cards
    std::uint32_t end = 0;
    Assignment parameter;  ///< of a .param card: the one of its values that this is
    bool kept = false;
};

struct Line {
    const Card* card = nullptr;
    std::uint32_t scope = 0;  ///< in which the card stands
};

constexpr std::size_t most_candidates = 10'000;  // for a suggestion: beyond, comparing them takes longer than a reader waits

std::string_view first_word(std::string_view card) { return card.substr(0, card.find(' ')); }

/// Name of a function's definition: f of f(x,y).
std::string_view function_name(std::string_view signature) {
    std::string_view name = signature.substr(0, signature.find('('));
    while (!name.empty() && name.back() == ' ') name.remove_suffix(1);
    return name;
}

struct FunctionCard {
    std::string_view signature;
    std::string_view body;
};

FunctionCard function_card(std::string_view card) {
    const std::string_view text = card.substr(6);  // ".func "
    const std::size_t end = std::min(text.find(')'), text.size() - 1) + 1;
    return {text.substr(0, end), text.substr(end)};
}

/// nch of the bin nch.3; "" for a name that is no bin.
std::string_view binned_name(std::string_view model) {
    const std::size_t dot = model.rfind('.');
    if (dot == std::string_view::npos || dot == 0 || dot + 1 == model.size() || !std::ranges::all_of(model.substr(dot + 1), is_digit)) return "";
    return model.substr(0, dot);
}

/// A later definition of a function, model or subcircuit.
struct Duplicate {
    std::uint32_t symbol = 0;
    std::uint32_t statement = 0;
    Location where;
};

/// Cards of several files as one netlist: what each name means, and what each definition needs.
class Netlist {
 public:
    enum class Undefined { ignored, reported };

    Netlist(Undefined undefined, Mistakes& mistakes) : undefined_{undefined}, mistakes_{mistakes} { scopes_.emplace_back(); }

    /// Expects balanced subcircuits. A card that was added before, by another file that includes the same one, is left out.
    void add(const std::vector<Card>& cards) {
        for (std::size_t k = 0; k < cards.size();) {
            const std::size_t end = end_of(cards, k);
            const bool is_parameter = first_word(cards[k].text) == ".param";
            if (!is_parameter && !seen_.emplace(cards[k].where.file, cards[k].where.line).second) {
                k = end;
                continue;
            }
            if (is_parameter) {  // of several values of a parameter the last one counts, so that repeated cards matter
                for (const Assignment& assignment : parts(cards[k].text).assignments) {
                    const auto at = static_cast<std::uint32_t>(lines_.size());
                    statements_.push_back({at, at + 1, assignment});
                    lines_.push_back({&cards[k], 0});
                    define_parameter(assignment, cards[k], 0);
                }
            } else {
                const auto at = static_cast<std::uint32_t>(lines_.size());
                statements_.push_back({at, at + static_cast<std::uint32_t>(end - k), {}});
                std::uint32_t scope = 0;
                for (std::size_t i = k; i < end; ++i) scope = define(cards[i], scope);
            }
            k = end;
        }
    }

    void keep_from(std::uint32_t first_statement) {
        for (std::uint32_t s = first_statement; s < statements_.size(); ++s) keep(s);
        keep_what_is_needed();
    }
    void keep(Kind kind, std::string_view name) {
        const auto found = scopes_[0].symbols[static_cast<std::size_t>(kind)].find(name);
        if (found == scopes_[0].symbols[static_cast<std::size_t>(kind)].end()) {
            mistakes_.add({}, fmt::format("subcircuit {} is not defined (expected it in the netlist of the cell).{}", shown(name),
                                          did_you_mean(std::string{name}, names(kind, 0))));
            return;
        }
        need(found->second);
        keep_what_is_needed();
    }
    [[nodiscard]] std::uint32_t statement_count() const { return static_cast<std::uint32_t>(statements_.size()); }

    /// Definitions that need themselves, among what was kept.
    void find_circles() {
        enum : std::uint8_t { unseen, open, done };
        std::vector<std::uint8_t> state(symbols_.size(), unseen);
        std::vector<std::pair<std::uint32_t, std::size_t>> path;  // not by recursion: chains of parameters are long
        for (std::uint32_t start = 0; start < symbols_.size(); ++start) {
            if (state[start] != unseen) continue;
            path.emplace_back(start, 0);
            state[start] = open;
            while (!path.empty()) {
                const std::uint32_t at = path.back().first;
                if (path.back().second == symbols_[at].uses.size()) {
                    state[at] = done;
                    path.pop_back();
                    continue;
                }
                const std::uint32_t next = symbols_[at].uses[path.back().second++];
                if (state[next] == open) {
                    report_circle(path, next);
                } else if (state[next] == unseen) {
                    state[next] = open;
                    path.emplace_back(next, 0);
                }
            }
        }
    }

    [[nodiscard]] std::string text() const {
        std::string out;
        for (const Statement& statement : statements_) {
            if (!statement.kept) continue;
            if (!statement.parameter.key.empty()) {
                out += fmt::format(".param {}={}\n", statement.parameter.key, statement.parameter.value);
                continue;
            }
            for (std::uint32_t k = statement.begin; k < statement.end; ++k) out += lines_[k].card->text + '\n';
        }
        return out;
    }

 private:
    static std::size_t end_of(const std::vector<Card>& cards, std::size_t begin) {
        std::size_t k = begin;
        std::size_t depth = 0;
        do {
            const std::string_view word = first_word(cards[k].text);
            if (word == ".subckt") ++depth;
            if (word == ".ends") --depth;
            ++k;
        } while (depth > 0 && k < cards.size());
        return k;
    }

    std::uint32_t symbol(Kind kind, std::string_view name, const Location& where, std::uint32_t scope) {
        auto& known = scopes_[scope].symbols[static_cast<std::size_t>(kind)];
        const auto [place, is_new] = known.emplace(name, static_cast<std::uint32_t>(symbols_.size()));
        if (is_new) {
            symbols_.push_back({kind, name, where, {}, {}, nowhere, 0});
        } else if (kind != Kind::parameter) {
            duplicates_.push_back({place->second, static_cast<std::uint32_t>(statements_.size() - 1), where});
        }
        if (scope == 0) symbols_[place->second].statements.push_back(static_cast<std::uint32_t>(statements_.size() - 1));
        return place->second;
    }

    void define_parameter(const Assignment& assignment, const Card& card, std::uint32_t scope) {
        const bool is_function = assignment.key.find('(') != std::string_view::npos;
        symbol(is_function ? Kind::function : Kind::parameter, is_function ? function_name(assignment.key) : assignment.key, card.where, scope);
    }

    /// Takes up what a card defines and returns the scope of the next card.
    std::uint32_t define(const Card& card, std::uint32_t scope) {
        lines_.push_back({&card, scope});
        const std::string_view text = card.text;
        const std::string_view word = first_word(text);
        if (word == ".ends") return scopes_[scope].outer;
        if (word == ".param") {
            for (const Assignment& assignment : parts(text).assignments) define_parameter(assignment, card, scope);
        } else if (word == ".func") {
            symbol(Kind::function, function_name(function_card(text).signature), card.where, scope);
        } else if (word == ".model") {
            const std::string_view name = words(text.substr(0, 4096))[1];  // refusal() saw to it that there is one
            const std::uint32_t model = symbol(Kind::model, name, card.where, scope);
            if (const std::string_view base = binned_name(name); !base.empty()) scopes_[scope].bins[base].push_back(model);
        } else if (word == ".subckt") {
            const Parts taken = parts(text);
            const auto found = connection_words(taken.head);
            const std::uint32_t subcircuit = symbol(Kind::subcircuit, found[1], card.where, scope);
            const auto inside = static_cast<std::uint32_t>(scopes_.size());
            scopes_.push_back({.outer = scope, .subcircuit = subcircuit, .symbols = {}, .bins = {}, .parameters = {}});
            symbols_[subcircuit].inside = inside;
            symbols_[subcircuit].pins = found.size() - 2;
            for (const Assignment& parameter : taken.assignments) {
                scopes_[inside].parameters.insert(parameter.key);
                symbol(Kind::parameter, parameter.key, card.where, inside);
            }
            return inside;
        }
        return scope;
    }

    std::uint32_t find(Kind kind, std::string_view name, std::uint32_t scope) const {
        for (; scope != nowhere; scope = scopes_[scope].outer) {
            const auto& known = scopes_[scope].symbols[static_cast<std::size_t>(kind)];
            if (const auto found = known.find(name); found != known.end()) return found->second;
        }
        return nowhere;
    }

    void need(std::uint32_t used) {
        for (const std::uint32_t statement : symbols_[used].statements) keep(statement);
    }
    void keep(std::uint32_t statement) {
        if (statements_[statement].kept) return;
        statements_[statement].kept = true;
        pending_.push_back(statement);
    }
    void use(std::uint32_t used, std::uint32_t user) {
        need(used);
        if (user != nowhere) symbols_[user].uses.push_back(used);
    }

    void keep_what_is_needed() {
        while (!pending_.empty()) {
            const Statement& statement = statements_[pending_.back()];
            pending_.pop_back();
            if (!statement.parameter.key.empty()) {
                look_at_parameter(statement.parameter, lines_[statement.begin]);
            } else {
                for (std::uint32_t k = statement.begin; k < statement.end; ++k) look_at(lines_[k]);
            }
        }
        for (const Duplicate& again : duplicates_) {
            const Symbol& first = symbols_[again.symbol];
            if (statements_[again.statement].kept && undefined_ == Undefined::reported)
                mistakes_.add(again.where,
                              fmt::format("{} is defined a second time (first in {}:{}; the simulator would take one of them without a word).",
                                          shown(first.name), first.where.file, first.where.line));
        }
        duplicates_.clear();
    }

    bool use_model(std::string_view name, std::uint32_t scope) {
        for (; scope != nowhere; scope = scopes_[scope].outer) {
            const auto& known = scopes_[scope].symbols[static_cast<std::size_t>(Kind::model)];
            const auto exact = known.find(name);
            const auto bins = scopes_[scope].bins.find(name);
            if (exact != known.end()) need(exact->second);
            if (bins != scopes_[scope].bins.end())
                for (const std::uint32_t bin : bins->second) need(bin);
            if (exact != known.end() || bins != scopes_[scope].bins.end()) return true;
        }
        return false;
    }

    enum class Vocabulary { parameters, sources };

    /// Names in an expression; `arguments` are those of the function that it is the body of.
    void use_identifiers(const std::vector<Identifier>& found, const Line& line, std::uint32_t user, Vocabulary vocabulary,
                         const std::vector<Identifier>& arguments = {}) {
        for (const Identifier& identifier : found) {
            if (std::ranges::find(arguments, identifier.name, &Identifier::name) != arguments.end()) continue;
            const Kind kind = identifier.called ? Kind::function : Kind::parameter;
            if (const std::uint32_t used = find(kind, identifier.name, line.scope); used != nowhere) {
                use(used, user);
            } else if (!known_to_parameters(identifier.name) && !(vocabulary == Vocabulary::sources && known_to_sources(identifier.name)) &&
                       undefined_ == Undefined::reported) {
                mistakes_.add(
                    line.card->where,
                    fmt::format("{} {} is not defined (expected a name of this subcircuit, of those around its definition, or of the top).{}",
                                identifier.called ? "function" : "parameter", shown(identifier.name),
                                did_you_mean(std::string{identifier.name}, names(kind, line.scope))));
            }
        }
    }

    void look_at_parameter(const Assignment& assignment, const Line& line) {
        scratch_.clear();
        identifiers(assignment.value, scratch_);
        if (assignment.key.find('(') == std::string_view::npos) {
            use_identifiers(scratch_, line, find(Kind::parameter, assignment.key, line.scope), Vocabulary::parameters);
        } else {
            look_at_function({assignment.key, assignment.value}, line);
        }
    }

    void look_at_function(const FunctionCard& function, const Line& line) {
        std::vector<Identifier> arguments;
        identifiers(function.signature.substr(function.signature.find('(')), arguments);
        scratch_.clear();
        identifiers(function.body, scratch_);
        use_identifiers(scratch_, line, find(Kind::function, function_name(function.signature), line.scope), Vocabulary::sources, arguments);
    }

    void look_at(const Line& line) {
        const std::string_view text = line.card->text;
        const std::string_view word = first_word(text);
        if (word == ".ends") return;
        if (word == ".func") return look_at_function(function_card(text), line);
        const Parts taken = parts(text);
        if (word == ".param") {
            for (const Assignment& assignment : taken.assignments) look_at_parameter(assignment, line);
            return;
        }
        if (word == ".subckt") return look_at_defaults(taken, line);
        const char letter = text.front();
        // R, C and L become behavioural sources when their value depends on the run.
        const auto holds = [&](std::string_view part) { return text.find(part) != std::string_view::npos; };
        const bool passive = letter == 'r' || letter == 'c' || letter == 'l';
        const bool behavioural =
            letter == 'b' || letter == 'e' || letter == 'g' || (passive && (holds("v(") || holds("i(") || holds("time") || holds("hertz")));
        scratch_.clear();
        for (const Assignment& assignment : taken.assignments) identifiers(assignment.value, scratch_);
        braced_identifiers(taken.head, scratch_);
        use_identifiers(scratch_, line, nowhere, behavioural ? Vocabulary::sources : Vocabulary::parameters);
        if (letter == '.') return;
        if (letter == 'x') return look_at_instance(taken, line);
        const std::vector<std::string_view> found = words(taken.head);
        // A bare word may be a parameter or a model, as well as a node: what bears its name is kept.
        scratch_.clear();
        identifiers(taken.head, scratch_);
        for (const Identifier& bare : scratch_)
            if (const std::uint32_t parameter = find(Kind::parameter, bare.name, line.scope); parameter != nowhere) need(parameter);
        for (std::size_t k = 1; k < found.size(); ++k) use_model(found[k], line.scope);
        look_at_model(found, line);
    }

    /// Defaults may use the other parameters of the card; a parameter's own name is that of the scope around.
    void look_at_defaults(const Parts& taken, const Line& line) {
        const auto found = connection_words(taken.head);
        const std::uint32_t inside = symbols_[find(Kind::subcircuit, found[1], line.scope)].inside;
        for (const Assignment& parameter : taken.assignments) {
            scratch_.clear();
            identifiers(parameter.value, scratch_);
            const std::vector<Identifier> used = scratch_;
            for (const Identifier& identifier : used) {
                const bool own = identifier.name == parameter.key;
                const std::vector<Identifier> one = {identifier};
                use_identifiers(one, {line.card, own ? line.scope : inside}, own ? nowhere : find(Kind::parameter, parameter.key, inside),
                                Vocabulary::parameters);
            }
        }
    }

    void look_at_instance(const Parts& taken, const Line& line) {
        const std::vector<std::string_view> found = connection_words(taken.head);
        const auto report = [&](const std::string& problem) {
            if (undefined_ == Undefined::reported) mistakes_.add(line.card->where, problem);
        };
        if (found.size() < 2) return report("an instance names no subcircuit (expected X NODES SUBCIRCUIT).");
        const std::uint32_t used = find(Kind::subcircuit, found.back(), line.scope);
        if (used == nowhere)
            return report(fmt::format("subcircuit {} is not defined (expected a .subckt in the cell's netlist or a device library).{}",
                                      shown(found.back()), did_you_mean(std::string{found.back()}, names(Kind::subcircuit, line.scope))));
        use(used, scopes_[line.scope].subcircuit);
        const Symbol& subcircuit = symbols_[used];
        if (found.size() - 2 != subcircuit.pins)
            report(fmt::format("{} passes {} nodes to {} (expected {}, as in {}:{}).", found.front(), found.size() - 2, found.back(), subcircuit.pins,
                               subcircuit.where.file, subcircuit.where.line));
        const auto& parameters = scopes_[subcircuit.inside].parameters;
        std::vector<std::string> candidates;  // made for the first mistake only
        for (const Assignment& assignment : taken.assignments) {
            if (parameters.contains(assignment.key) || assignment.key == "m") continue;
            if (mistakes_.full()) {
                report("");
                continue;
            }
            if (candidates.empty())
                for (const std::string_view name : parameters)
                    if (candidates.size() < most_candidates) candidates.emplace_back(name);
            report(fmt::format("{} has no parameter {} (expected one of its .subckt card).{}", shown(found.back()), shown(assignment.key),
                               did_you_mean(std::string{assignment.key}, candidates)));
        }
    }

    void look_at_model(const std::vector<std::string_view>& found, const Line& line) {
        if (undefined_ == Undefined::ignored) return;
        const char letter = found.front().front();
        const std::size_t nodes = letter == 'd' ? 2 : letter == 'm' || letter == 'q' || letter == 'j' ? 3 : 0;
        if (nodes == 0) return;
        for (std::size_t k = nodes + 1; k < found.size(); ++k)
            if (use_model(found[k], line.scope)) return;
        const std::string_view likely =
            found.size() > nodes + 1 ? found[std::min(found.size() - 1, letter == 'm' ? nodes + 2 : nodes + 1)] : std::string_view{};
        mistakes_.add(
            line.card->where,
            fmt::format("{} names no model that is defined{} (expected a .model in the cell's netlist or a device library).{}", found.front(),
                        likely.empty() ? "" : ": " + shown(likely), did_you_mean(std::string{likely}, names(Kind::model, line.scope))));
    }

    /// Names visible in the scope, for a suggestion.
    std::vector<std::string> names(Kind kind, std::uint32_t scope) const {
        std::vector<std::string> out;
        if (mistakes_.full()) return out;
        for (; scope != nowhere; scope = scopes_[scope].outer)
            for (const auto& [name, id] : scopes_[scope].symbols[static_cast<std::size_t>(kind)])
                if (out.size() < most_candidates) out.emplace_back(name);
        std::ranges::sort(out);  // the order of a hash table changes between libraries
        return out;
    }

    void report_circle(const std::vector<std::pair<std::uint32_t, std::size_t>>& path, std::uint32_t again) {
        constexpr std::size_t most = 8;  // a message stays on two lines
        auto at = std::ranges::find(path, again, &std::pair<std::uint32_t, std::size_t>::first);
        const Symbol& first = symbols_[again];
        std::string chain;
        for (std::size_t k = 0; at != path.end() && k < most; ++at, ++k) chain += fmt::format("{} -> ", symbols_[at->first].name);
        if (at != path.end()) chain += "... -> ";
        static constexpr std::string_view kinds[] = {"parameter", "function", "model", "subcircuit"};
        mistakes_.add(first.where, fmt::format("{} {} needs itself: {}{} (the simulator would recurse or end).",
                                               kinds[static_cast<std::size_t>(first.kind)], shown(first.name), chain, first.name));
    }

    Undefined undefined_;
    Mistakes& mistakes_;
    std::vector<Line> lines_;
    std::vector<Statement> statements_;
    std::vector<Scope> scopes_;
    std::vector<Symbol> symbols_;
    std::vector<std::uint32_t> pending_;
    std::vector<Duplicate> duplicates_;
    std::set<std::pair<std::string_view, int>> seen_;
    std::vector<Identifier> scratch_;
};

}  // namespace

void find_circles(const std::vector<Card>& cards, Mistakes& mistakes) {
    Netlist netlist{Netlist::Undefined::ignored, mistakes};
    netlist.add(cards);
    netlist.keep_from(0);
    netlist.find_circles();
}

std::vector<Subcircuit> subcircuits(const Library& library) {
    std::vector<Subcircuit> out;
    std::size_t depth = 0;
    for (const Card& card : library.cards) {
        const std::string_view word = first_word(card.text);
        if (word == ".ends") --depth;
        if (word != ".subckt" || depth++ > 0) continue;
        const Parts taken = parts(card.text);
        const auto found = connection_words(taken.head);
        Subcircuit subcircuit{std::string{found[1]}, {found.begin() + 2, found.end()}, {}, card.where};
        for (const Assignment& parameter : taken.assignments)
            subcircuit.parameters.push_back({std::string{parameter.key}, std::string{parameter.value}});
        out.push_back(std::move(subcircuit));
    }
    return out;
}

std::string linked(const Library& cell, const std::vector<Library>& models, std::string_view subcircuit) {
    Mistakes mistakes;
    Netlist netlist{Netlist::Undefined::reported, mistakes};
    for (const Library& library : models) netlist.add(library.cards);
    const std::uint32_t first = netlist.statement_count();
    netlist.add(cell.cards);
    if (subcircuit.empty())
        netlist.keep_from(first);
    else
        netlist.keep(Kind::subcircuit, subcircuit);
    netlist.find_circles();
    mistakes.throw_if_any();
    return netlist.text();
}

}  // namespace entrain::spice
