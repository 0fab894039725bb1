#pragma once
#include <Eigen/Core>
#include <complex>
#include <cstdint>
#include <optional>
#include <vector>

namespace entrain::network {

/// Where a free oscillator comes from: one head of one token of one sequence. `sequence` is the original index in the inputs file.
struct TokenId {
    std::int32_t sequence = 0;
    std::int32_t head = 0;
    std::int32_t token = 0;
    auto operator<=>(const TokenId&) const = default;
};

/// Where an anchor comes from: one position of one head; sequences share anchors.
struct AnchorId {
    std::int32_t head = 0;
    std::int32_t position = 0;
};

/// One coupling of the network. For d = 2 it adds |weight| |x_from| sin(harmonic (theta_from - theta_to) + arg weight - phase_lag) to dtheta_to/dt;
/// for d > 2 only real weights and harmonic 1 have a meaning.
struct Coupling {
    enum class From : std::uint8_t { anchor, free };
    std::uint32_t from = 0;
    std::uint32_t to = 0;
    From kind = From::anchor;
    std::int16_t harmonic = 1;
    std::complex<double> weight;  ///< dimensionless; real for attention, complex weights rotate the drive (d = 2)
    double phase_lag = 0.0;       ///< [rad] Kuramoto-Sakaguchi lag
    double delay = 0.0;           ///< in units of 1/W, at most one settling time; 0 = instantaneous
};

/// What is read: the phase of `observed` (a free oscillator) relative to the anchors' common clock, or to another free oscillator.
struct Probe {
    std::uint32_t observed = 0;
    std::optional<std::uint32_t> reference;
    std::int16_t harmonic = 1;
};

/// When the network is read: at equilibrium, or at a given time (dimensionless, units of 1/W).
struct ReadRule {
    std::optional<double> at;
};

/// The substrate-independent form: what a mechanism asks of oscillator hardware. Dimensionless except angles.
///
/// Dynamics of a free oscillator i with unit state z_i in R^d:  dz_i/dt = (I - z_i z_i^T) h_i + detuning,  h_i = sum_j weight_ij x_j, where x_j is
/// the anchor vector r_j (any length: its length is a gain of the drive) or the state of another free oscillator.  For d = 2, z = (cos theta, sin
/// theta) and dtheta_i/dt = detuning_i - sum_j weight_ij |x_j| sin(theta_i - phase(x_j)), with harmonics and lags as in Coupling.
struct OscillatorNetwork {
    int dimension = 2;
    Eigen::MatrixXd anchors;           ///< [M x d] anchor vectors r_j, not necessarily unit length
    std::vector<AnchorId> anchor_ids;  ///< [M]
    std::vector<TokenId> free;         ///< [N] free oscillators
    Eigen::MatrixXd start;             ///< [N x d] unit start states
    Eigen::VectorXd detuning;          ///< [N] in units of the coupling weight (1/W)
    std::vector<Coupling> couplings;   ///< sorted by `to`
    std::vector<Probe> probes;         ///< for fixed-query attention one per free oscillator
    ReadRule read;

    [[nodiscard]] Eigen::Index size() const { return static_cast<Eigen::Index>(free.size()); }
};

/// h_i = sum of anchor couplings of oscillator i [N x d]; couplings from free oscillators are not included.
[[nodiscard]] Eigen::MatrixXd anchor_drive(const OscillatorNetwork& network);

/// sum_j |weight_ij| |r_j| over the anchor couplings of each oscillator [N]: what h_i would be if all anchors agreed.
[[nodiscard]] Eigen::VectorXd row_sum(const OscillatorNetwork& network);

/// Drive r_i = |h_i| / row_sum_i in [0, 1] [N]; 0 where the row sum is 0.
[[nodiscard]] Eigen::VectorXd drive_ratio(const OscillatorNetwork& network);

/// How weights are brought to the full scale of the hardware.
enum class Normalisation {
    row,        ///< each row sums to full scale: constant load, full use of the weight range, moves no fixed point
    full_scale  ///< one constant per head, found offline: the largest row sum over the inputs file
};

/// The network with every weight divided by its row's scale: fractions of full scale, sum_j |w_ij| |r_j| <= 1. `head_full_scale` [H] is used by
/// full_scale. A row whose sum is 0 stays 0 (its oscillator has no drive).
[[nodiscard]] OscillatorNetwork normalised(OscillatorNetwork network, Normalisation rule, const Eigen::VectorXd& head_full_scale);

}  // namespace entrain::network
