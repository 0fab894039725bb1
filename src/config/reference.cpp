#include "config/field_text.hpp"
#include "config/reader.hpp"

namespace entrain::config {

void Reference::visit(const Field& field) {
    const std::string key = prefix_ + std::string{field.name};
    const bool is_section = std::holds_alternative<SectionField>(field.value);
    const auto* list = std::get_if<SectionListField>(&field.value);
    const bool has_preset = !is_section && list == nullptr && !std::holds_alternative<RawMapField>(field.value) && !field.required;
    rows_.push_back({key, type_text(field),
                     field.required ? "required"
                     : has_preset   ? value_text(field)
                                    : "",
                     range_text(field), std::string{field.doc}});
    if (!is_section && list == nullptr) return;
    const std::string outer = std::exchange(prefix_, key + (is_section ? "." : ".N."));
    if (is_section) {
        std::get<SectionField>(field.value).describe(*this);
    } else {
        const std::size_t count = list->size();
        list->resize(count + 1);  // one with its defaults
        list->describe(count, *this);
        list->resize(count);
    }
    prefix_ = outer;
}

}  // namespace entrain::config
