#include "cvode.hpp"

#include <cvode/cvode.h>
#include <nvector/nvector_serial.h>
#include <sunnonlinsol/sunnonlinsol_fixedpoint.h>

#include <stdexcept>

namespace entrain::test {
namespace {

using Derivative = std::function<void(std::span<const double>, std::span<double>)>;

int call(realtype /*time*/, N_Vector x, N_Vector dxdt, void* user) {
    const auto n = static_cast<std::size_t>(NV_LENGTH_S(x));
    (*static_cast<const Derivative*>(user))({NV_DATA_S(x), n}, {NV_DATA_S(dxdt), n});
    return 0;
}

void must(int flag) {
    if (flag != CV_SUCCESS) throw std::runtime_error{"CVODE failed"};
}

}  // namespace

std::vector<double> integrate_with_cvode(const Derivative& derivative, const std::vector<double>& start, double time) {
    SUNContext context = nullptr;
    must(SUNContext_Create(nullptr, &context));
    N_Vector x = N_VNew_Serial(static_cast<sunindextype>(start.size()), context);
    std::copy(start.begin(), start.end(), NV_DATA_S(x));
    SUNNonlinearSolver solver = SUNNonlinSol_FixedPoint(x, 0, context);
    void* memory = CVodeCreate(CV_ADAMS, context);
    must(CVodeInit(memory, call, 0.0, x));
    must(CVodeSStolerances(memory, 1e-12, 1e-12));
    must(CVodeSetUserData(memory, const_cast<Derivative*>(&derivative)));
    must(CVodeSetNonlinearSolver(memory, solver));
    must(CVodeSetMaxNumSteps(memory, 1000000));
    must(CVodeSetStopTime(memory, time));
    double reached = 0.0;
    const int flag = CVode(memory, time, x, &reached, CV_NORMAL);
    if (flag < 0) throw std::runtime_error{"CVODE failed"};
    std::vector<double> end(NV_DATA_S(x), NV_DATA_S(x) + start.size());
    CVodeFree(&memory);
    SUNNonlinSolFree(solver);
    N_VDestroy(x);
    SUNContext_Free(&context);
    return end;
}

}  // namespace entrain::test
