#pragma once
#include <sstream>
#include <string>
#include <vector>

namespace entrain::test {

/// What the .subckt card of a netlist declares, continuation lines included.
struct SubcircuitCard {
    std::vector<std::string> pins;
    std::vector<std::string> parameters;
};

inline SubcircuitCard subcircuit_card(const std::string& netlist, const std::string& name) {
    std::istringstream lines{netlist};
    std::string card;
    for (std::string line; std::getline(lines, line);) {
        if (line.rfind(".subckt " + name, 0) == 0)
            card = line;
        else if (!card.empty() && line.rfind("+", 0) == 0)
            card += line.substr(1);
        else if (!card.empty())
            break;
    }
    SubcircuitCard found;
    std::istringstream words{card};
    for (std::string word; words >> word;) {
        const auto equals = word.find('=');
        if (equals != std::string::npos)
            found.parameters.push_back(word.substr(0, equals));
        else if (word != ".subckt" && word != name)
            found.pins.push_back(word);
    }
    return found;
}

}  // namespace entrain::test
