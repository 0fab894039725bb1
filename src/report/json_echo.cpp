#include "core/overloaded.hpp"
#include "report/result.hpp"

namespace entrain::report {

void JsonEcho::visit(const Field& field) {
    const std::string name{field.name};
    std::visit(Overloaded{[&](const QuantityField& f) { json_[name] = format_quantity(*f.si, f.symbol); },
                          [&](const NumberField& f) { json_[name] = *f.value; },
                          [&](const OptionalNumberField& f) { json_[name] = f.value->has_value() ? io::Json(**f.value) : io::Json(nullptr); },
                          [&](const IntegerField& f) { json_[name] = *f.value; },
                          [&](const OptionalIntegerField& f) { json_[name] = f.value->has_value() ? io::Json(**f.value) : io::Json(nullptr); },
                          [&](const FlagField& f) { json_[name] = *f.value; }, [&](const TextField& f) { json_[name] = *f.value; },
                          [&](const IntegerListField& f) { json_[name] = *f.value; }, [&](const WordField& f) { json_[name] = f.text(); },
                          [&](const SectionField& f) {
                              JsonEcho nested;
                              f.describe(nested);
                              json_[name] = nested.json();
                          },
                          [&](const SectionListField& f) {
                              json_[name] = io::Json::array();
                              for (std::size_t k = 0; k < f.size(); ++k) {
                                  JsonEcho entry;
                                  f.describe(k, entry);
                                  json_[name].push_back(entry.json());
                              }
                          },
                          [&](const RawMapField& f) {
                              io::Json map = io::Json::object();
                              for (const RawEntry& entry : *f.entries) map[entry.key] = entry.text;
                              json_[name] = map;
                          }},
               field.value);
}

}  // namespace entrain::report
