#include <fmt/format.h>

#include "config/field_text.hpp"
#include "config/reader.hpp"

namespace entrain::config {

void Echo::visit(const Field& field) {
    const std::string indent(static_cast<std::size_t>(2 * depth_), ' ');
    const auto map = [&](const auto& write_entries) {
        text_ += fmt::format("{}{}:\n", indent, field.name);
        const std::size_t before = text_.size();
        ++depth_;
        write_entries();
        --depth_;
        if (text_.size() == before) text_.replace(before - 1, 1, " {}\n");
    };
    if (const auto* section = std::get_if<SectionField>(&field.value)) {
        map([&] { section->describe(*this); });
    } else if (const auto* list = std::get_if<SectionListField>(&field.value)) {
        if (list->size() == 0) {
            text_ += fmt::format("{}{}: []\n", indent, field.name);
            return;
        }
        text_ += fmt::format("{}{}:\n", indent, field.name);
        depth_ += 2;
        for (std::size_t k = 0; k < list->size(); ++k) {
            const std::size_t before = text_.size();
            list->describe(k, *this);
            if (text_.size() > before) text_.replace(before + indent.size() + 2, 1, "-");  // the first key of an entry stands after its dash
        }
        depth_ -= 2;
    } else if (const auto* raw = std::get_if<RawMapField>(&field.value)) {
        map([&] {
            for (const RawEntry& entry : *raw->entries) text_ += fmt::format("{}  {}: {}\n", indent, yaml_scalar(entry.key), yaml_scalar(entry.text));
        });
    } else {
        text_ += fmt::format("{}{}: {}\n", indent, field.name, value_text(field));
    }
}

}  // namespace entrain::config
