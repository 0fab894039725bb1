#include "layering/layering.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

namespace entrain::layering {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// A tree of small files that lasts as long as the test.
class MadeUpTree : public testing::Test {
 protected:
    MadeUpTree() : root_{fs::temp_directory_path() / ("entrain_layering_" + std::to_string(::getpid()))} { fs::create_directories(root_ / "src"); }
    ~MadeUpTree() override { fs::remove_all(root_); }

    void write(const std::string& path, const std::string& text) const {
        fs::create_directories((root_ / path).parent_path());
        std::ofstream{root_ / path} << text;
    }
    [[nodiscard]] std::vector<std::string> problems(std::string_view layers) const { return check_includes(root_ / "src", read_layers(layers)); }
    [[nodiscard]] const fs::path& root() const { return root_; }

 private:
    fs::path root_;
};

TEST(Layers, AreReadInOrderWithTheirUses) {
    const auto modules = read_layers("core: fmt\nnetwork: core eigen\nproblem: \n");
    ASSERT_EQ(modules.size(), 3U);
    EXPECT_EQ(modules[1].name, "network");
    EXPECT_THAT(modules[1].uses, ElementsAre("core", "eigen"));
    EXPECT_THAT(modules[2].uses, IsEmpty());
    EXPECT_THROW((void)read_layers("core fmt\n"), std::invalid_argument);
}

TEST(Includes, AreFoundWithLineAndKind) {
    const auto includes = includes_of("#pragma once\n#include <vector>\n  # include \"core/error.hpp\"  // why\n// #include <never>\n");
    ASSERT_EQ(includes.size(), 2U);
    EXPECT_EQ(includes[0].header, "vector");
    EXPECT_FALSE(includes[0].quoted);
    EXPECT_EQ(includes[1].header, "core/error.hpp");
    EXPECT_TRUE(includes[1].quoted);
    EXPECT_EQ(includes[1].line, 3);
}

TEST(Declarations, OfThePipelineAreAccepted) {
    EXPECT_THAT(check_declarations(read_layers(
                    "core: fmt threads\nsubstrates: core\nsubstrates/lc: core substrates\nsubstrates/catalogue: substrates substrates/lc\n"
                    "study: substrates substrates/catalogue\n")),
                IsEmpty());
}

TEST(Declarations, OfUnknownNamesAreReported) {
    EXPECT_THAT(check_declarations(read_layers("core: fmd\n")), ElementsAre(HasSubstr("core uses fmd: there is no such module")));
}

TEST(Declarations, OfUpwardUsesAreReported) {
    EXPECT_THAT(check_declarations(read_layers("core: network\nnetwork: \n")), ElementsAre(HasSubstr("core uses network: it comes later")));
    EXPECT_THAT(check_declarations(read_layers("core: core\n")), ElementsAre(HasSubstr("core uses core")));
}

TEST(Declarations, OfOneKindOfPluginByAnotherAreReported) {
    EXPECT_THAT(check_declarations(read_layers("substrates: \nengines: \nengines/phase: engines substrates\n")),
                ElementsAre(HasSubstr("engines/phase uses substrates: kinds")));
    EXPECT_THAT(check_declarations(read_layers("mechanisms: \nsubstrates: mechanisms\n")),
                ElementsAre(HasSubstr("substrates uses mechanisms: kinds")));
}

TEST(Declarations, OfAPluginOutsideItsCatalogueAreReported) {
    EXPECT_THAT(check_declarations(read_layers("engines: \nengines/exact: engines\nengines/phase: engines engines/exact\n")),
                ElementsAre(HasSubstr("engines/phase uses engines/exact")));
    EXPECT_THAT(check_declarations(read_layers("engines: \nengines/catalogue: engines\nreport: engines/catalogue\n")),
                ElementsAre(HasSubstr("only study and cli")));
}

TEST_F(MadeUpTree, WithDeclaredIncludesIsAccepted) {
    write("src/core/error.hpp", "#include <string>\n#include <sys/stat.h>\n#include <unistd.h>\n");
    write("src/io/json.hpp", "#include <nlohmann/json.hpp>\n#include \"core/error.hpp\"\n");
    write("src/io/json.cpp", "#include \"io/json.hpp\"\n");
    write("src/substrates/lc/lc.cpp", "#include <Eigen/Core>\n#include \"embedded/lc.hpp\"\n");
    write("src/study/trial.cpp", "#include \"catalogue/substrates.hpp\"\n");
    EXPECT_THAT(problems("core: threads\nio: core json\nsubstrates/lc: eigen\nsubstrates/catalogue: substrates\nstudy: substrates/catalogue\n"),
                IsEmpty());
}

TEST_F(MadeUpTree, WithAnUndeclaredModuleIsReportedWithItsPlace) {
    write("src/core/error.hpp", "#include <string>\n");
    write("src/io/json.cpp", "#include <string>\n#include \"core/error.hpp\"\n");
    EXPECT_THAT(problems("core: \nio: \n"), ElementsAre("io/json.cpp:2: includes core/error.hpp: io does not declare USES core"));
}

TEST_F(MadeUpTree, WithAUseDeclaredOnlyByWhatItUsesIsReported) {
    write("src/core/error.hpp", "");
    write("src/io/json.hpp", "#include \"core/error.hpp\"\n");
    write("src/study/trial.cpp", "#include \"io/json.hpp\"\n#include \"core/error.hpp\"\n");
    EXPECT_THAT(problems("core: \nio: core\nstudy: io\n"), ElementsAre(HasSubstr("study does not declare USES core")));
}

TEST_F(MadeUpTree, WithAnUndeclaredLibraryIsReported) {
    write("src/core/error.cpp", "#include <fmt/format.h>\n");
    EXPECT_THAT(problems("core: \n"), ElementsAre(HasSubstr("core does not declare USES fmt")));
}

TEST_F(MadeUpTree, WithALibraryOutsideItsHomeIsReported) {
    write("src/study/trial.cpp", "#include <yaml-cpp/yaml.h>\n");
    write("src/engines/exact/exact.cpp", "#include <boost/math/tools/roots.hpp>\n#include <boost/numeric/odeint.hpp>\n");
    EXPECT_THAT(problems("engines/exact: boost\nstudy: yaml_cpp\n"),
                ElementsAre(HasSubstr("the only home of boost/numeric/odeint is engines/phase"), HasSubstr("the only home of yaml-cpp/ is config")));
}

TEST_F(MadeUpTree, LetsOnlyTheWorkerLinkNgspice) {
    write("src/engines/ngspice/protocol.hpp", "");
    write("src/engines/ngspice/worker/main.cpp",
          "#include <ngspice/sharedspice.h>\n#include <seccomp.h>\n#include \"engines/ngspice/protocol.hpp\"\n");
    EXPECT_THAT(problems("engines/ngspice: \n"), IsEmpty());
    write("src/engines/ngspice/engine.cpp", "#include <ngspice/sharedspice.h>\n");
    EXPECT_THAT(problems("engines/ngspice: ngspice\n"), ElementsAre(HasSubstr("the only home of ngspice/ is engines/ngspice/worker")));
}

TEST_F(MadeUpTree, WithUnknownHeadersIsReported) {
    write("src/core/a.cpp", "#include <fftw3.h>\n#include \"core/missing.hpp\"\n#include \"core/b.cpp\"\n");
    write("src/core/b.cpp", "");
    EXPECT_THAT(problems("core: \n"), ElementsAre(HasSubstr("fftw3.h: neither"), HasSubstr("core/missing.hpp: there is no such file"),
                                                  HasSubstr("core/b.cpp: a .cpp file")));
}

TEST_F(MadeUpTree, WithACatalogueThatIsNotDeclaredIsReported) {
    write("src/report/table.cpp", "#include \"catalogue/engines.hpp\"\n");
    EXPECT_THAT(problems("report: \n"), ElementsAre(HasSubstr("report does not declare USES engines/catalogue")));
}

TEST_F(MadeUpTree, WithAFileOfNoModuleIsReported) {
    write("src/helpers/x.hpp", "");
    EXPECT_THAT(problems("core: \n"), ElementsAre(HasSubstr("helpers/x.hpp: belongs to no module")));
}

TEST_F(MadeUpTree, WithADeadDeclarationIsReported) {
    write("src/core/a.hpp", "");
    write("src/network/n.hpp", "#include <vector>\n");
    EXPECT_THAT(problems("core: \nnetwork: core eigen\n"),
                ElementsAre(HasSubstr("network declares USES core"), HasSubstr("network declares USES eigen")));
}

TEST_F(MadeUpTree, TellsWhichFolderOfASubstrateIsMissing) {
    for (const char* name : {"ideal", "lc", "ring"}) write(std::string{"src/substrates/"} + name + "/CMakeLists.txt", "\n");
    write("netlists/lc/cell.cir", "*\n");
    write("models/lc/typical.yaml", "\n");
    write("models/energy/digital.yaml", "\n");
    write("models/josephson/typical.yaml", "\n");
    EXPECT_THAT(check_trees(root()),
                ElementsAre("substrate josephson has no folder in netlists", "substrate josephson has no folder in src/substrates",
                            "substrate ring has no folder in models", "substrate ring has no folder in netlists"));
}

std::vector<Module> declared() {
    const std::ifstream file{fs::path{ENTRAIN_BINARY_DIR} / "generated" / "layers.txt"};
    std::ostringstream text;
    text << file.rdbuf();
    return read_layers(text.str());
}

TEST(Entrain, DeclaresModulesBottomToTop) {
    ASSERT_FALSE(declared().empty());
    EXPECT_THAT(check_declarations(declared()), IsEmpty());
}

TEST(Entrain, IncludesWhatItsModulesDeclare) { EXPECT_THAT(check_includes(fs::path{ENTRAIN_SOURCE_DIR} / "src", declared()), IsEmpty()); }

TEST(Entrain, HasTheSameSubstratesInEveryTree) { EXPECT_THAT(check_trees(ENTRAIN_SOURCE_DIR), IsEmpty()); }

}  // namespace
}  // namespace entrain::layering
