#pragma once
#include <functional>
#include <span>
#include <vector>

namespace entrain::test {

/// State at `time` of dx/dt = derivative(x) from `start`, by CVODE's Adams method at tolerance 1e-12: an integrator that shares nothing with odeint.
[[nodiscard]] std::vector<double> integrate_with_cvode(const std::function<void(std::span<const double>, std::span<double>)>& derivative,
                                                       const std::vector<double>& start, double time);

}  // namespace entrain::test
