// `hopfield reproduce NAME`: experiments with stated parameters, in one report each.
#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <memory>
#include <span>
#include <system_error>

#include "cli/nouns.h"
#include "cli/reproduce_sections.h"
#include "hopfield/base/os.h"
#include "hopfield/base/version.h"
#include "hopfield/report/format.h"

namespace hopfield::cli {
namespace {

using Json = nlohmann::ordered_json;

struct SectionKind {
  const char* name;
  const char* title;
  const char* text;
  Studies (*make)(const ReproduceSettings&, const Context&);
};

constexpr std::array kTheorySections = {
    SectionKind{"energy", "Energy: every update goes downhill",
                "arXiv:2008.02217, theorems 1 and 2, lemma A1; the descent by half the squared "
                "step is our own (docs/math/landscape.md).",
                reproduce_energy},
    SectionKind{"fixed-points", "Fixed points: global average, metastable states, single patterns",
                "arXiv:2008.02217, lemmas A2 to A12. Orthonormal patterns are solved exactly "
                "(docs/math/bounds.md).",
                reproduce_fixed_points},
    SectionKind{"capacity", "Capacity: how many patterns each network stores",
                "Measured medians beside formulas (docs/math/networks.md, docs/math/bounds.md). "
                "The formulas hold for large networks; what small ones do differently shows in the "
                "tables.",
                reproduce_capacity},
    SectionKind{"retrieval-error", "Error after one update, beside theorem 5",
                "arXiv:2008.02217, theorem 5: the error falls exponentially with the separation.",
                reproduce_retrieval_error},
    SectionKind{"dense", "Dense networks: replica equations beside simulations",
                "arXiv:2111.12997; Gardner 1987; Amit, Gutfreund, Sompolinsky 1987 "
                "(docs/math/dense.md).",
                reproduce_dense},
    SectionKind{"multitask", "Multitasking networks: several patterns at once",
                "arXiv:2308.04106 (docs/math/multitask.md).", reproduce_multitask},
    SectionKind{"attention", "One layer as four classifiers",
                "arXiv:2008.02217, section 3 names them; the constructions are in "
                "docs/math/attention.md.",
                reproduce_attention},
    SectionKind{"errata", "Errata of the papers, and sharper results",
                "Proofs: docs/math/bounds.md, docs/math/advice.md, docs/math/landscape.md.",
                reproduce_errata},
};

constexpr std::array kMemorySections = {
    SectionKind{
        "pictures", "Pictures recalled from damaged ones",
        "Exact recall over beta and over damage, beside the nearest neighbour on the same "
        "cues. Exact: the largest association is the picture's own (or an equal one's), and "
        "at the end every pixel rounds to its grey.",
        reproduce_pictures},
    SectionKind{
        "networks", "How many pictures each network holds",
        "Binarised pictures, the same cues for all: Hopfield 1982, pseudo-inverse "
        "(Personnaz, Guyon, Dreyfus 1986), polynomial (Krotov, Hopfield, arXiv:1606.01164), "
        "modern (arXiv:2008.02217), nearest neighbour.",
        reproduce_networks},
    SectionKind{"static-retrieval", "Half a picture among similar ones",
                "The experiment of arXiv:2008.02217 with 1, 6 and 24 stored pictures, here of one "
                "handwritten digit.",
                reproduce_static_retrieval},
    SectionKind{"sphere", "Exponential capacity on the sphere",
                "Largest number of random patterns of which 99 % are recalled, beside theorem 3 of "
                "arXiv:2008.02217 (docs/math/bounds.md, docs/math/advice.md).",
                reproduce_sphere},
    SectionKind{"error-bound", "Error after one update, beside theorem 5",
                "arXiv:2008.02217, theorem 5: the error falls exponentially with the separation; "
                "random patterns and pictures.",
                reproduce_error_bound},
};

struct ReportKind {
  const char* name;
  const char* description;
  const char* example;
  const char* title;
  const char* subtitle;
  const char* random;
  const char* data;
  std::span<const SectionKind> sections;
};

constexpr ReportKind kTheory = {
    "theory",
    "All studies of `hopfield theory` in one report (exit 4 if a statement does not hold)",
    "hopfield reproduce theory --quick --only retrieval-error --report error.html",
    "Associative memory: theory, computed again",
    "Theorems checked, curves drawn, simulations beside their formulas.",
    "Philox4x32-10, one stream a repetition: the same for any number of threads",
    "attention: folder that holds uci/; may be given again. Then $HOPFIELD_DATA and ../shared/data",
    kTheorySections};

constexpr ReportKind kMemory = {
    "memory",
    "Recall measured on real and random patterns in one report (exit 4 if a statement does not "
    "hold)",
    "hopfield reproduce memory --quick --only sphere --report sphere.html",
    "Associative memory: recall, measured",
    "Pictures and random patterns recalled from damaged ones, beside other networks and bounds.",
    "Mersenne twister (cues) and Philox4x32-10 (the rest): the same for any number of threads",
    "Folder that holds mnist/ or digits/; may be given again. Then $HOPFIELD_DATA and "
    "../shared/data",
    kMemorySections};

struct Section {
  const SectionKind* kind = nullptr;
  Studies studies;
  double seconds = 0;
};

struct Arguments {
  const ReportKind* kind = nullptr;
  std::string report_path, json;
  std::vector<std::string> only;
  bool force = false;
  ReproduceSettings settings;

  bool wants(const char* section) const {
    return only.empty() || std::find(only.begin(), only.end(), section) != only.end();
  }
};

// --- files

constexpr std::string_view kEnding = ".html";

/// FILE.html has its data in FILE/.
std::string data_folder(const Arguments& a) {
  return a.report_path.substr(0, a.report_path.size() - kEnding.size());
}

void check_paths(const Arguments& a) {
  require(a.report_path.size() > kEnding.size() && a.report_path.ends_with(kEnding) &&
              !a.report_path.ends_with("/" + std::string(kEnding)),
          "--report", "expected a name that ends in .html, got '" + a.report_path + "'");
  check_new_output(a.report_path, {}, a.force);
  const std::string folder = data_folder(a);
  if (path_exists(folder) && !(a.force && is_folder(folder))) {
    fail(ErrorCode::kIo, "write",
         "cannot write the data to '" + folder + "/': it exists; choose another --report" +
             (is_folder(folder) ? " or give --force to replace files in it" : ""));
  }
  check_output(json_path(a.json));
}

struct DataFile {
  std::string name;
  CsvTable csv;
};

/// What a plot shows: one row a point.
CsvTable plot_csv(const report::Plot& plot) {
  CsvTable csv{{"series", "x", "y", "error"}, {}};
  for (std::size_t k = 0; k < plot.series.size(); ++k) {
    const report::Series& series = plot.series[k];
    const std::string name = series.name.empty() ? std::to_string(k + 1) : series.name;
    for (std::size_t i = 0; i < series.x.size(); ++i) {
      csv.rows.push_back({csv_quoted(name), csv_number(series.x[i]), csv_number(series.y[i]),
                          series.error.empty() ? "" : csv_number(series.error[i])});
    }
  }
  return csv;
}

/// Data of a study and of each of its plots; names the files in the captions.
std::vector<DataFile> data_files(Study& study) {
  std::vector<DataFile> files;
  const std::string all = study.name + ".csv";
  if (!study.findings.csv.columns.empty()) files.push_back({all, study.findings.csv});
  for (Exhibit& exhibit : study.findings.exhibits) {
    std::string name = all;
    if (const auto* plot = std::get_if<report::Plot>(&exhibit.content)) {
      name = study.name + "-" + exhibit.name + ".csv";
      files.push_back({name, plot_csv(*plot)});
    }
    if (name != all || !study.findings.csv.columns.empty()) {
      exhibit.caption += " Data: `" + name + "`.";
    }
  }
  return files;
}

// --- the report

report::Table check_table(const std::vector<Section>& sections) {
  using report::Align;
  report::Table table({{"section"},
                       {"statement"},
                       {"value", Align::kRight},
                       {"expected", Align::kRight},
                       {"holds"}});
  for (const Section& section : sections) {
    table.add_rule();
    for (const Study& study : section.studies) {
      for (const Check& check : study.findings.checks) {
        table.add_row({section.kind->name, check.statement, report::general(check.value, 8),
                       check.expected, check.holds ? "yes" : "NO"},
                      !check.holds);
      }
    }
  }
  return table;
}

std::string command_of(const Arguments& a) {
  std::string text = std::string("hopfield reproduce ") + a.kind->name + " --seed " +
                     std::to_string(a.settings.seed);
  if (a.settings.quick) text += " --quick";
  for (std::size_t i = 0; i < a.only.size(); ++i) text += (i == 0 ? " --only " : ",") + a.only[i];
  return text;
}

struct Totals {
  int num_checks = 0, num_missed = 0;
};

Totals totals_of(const std::vector<Section>& sections) {
  Totals totals;
  for (const Section& section : sections) {
    for (const Study& study : section.studies) {
      for (const Check& check : study.findings.checks) {
        ++totals.num_checks;
        totals.num_missed += !check.holds;
      }
    }
  }
  return totals;
}

/// What studies say of data that is not there, each once.
std::vector<std::string> skipped_data(const std::vector<Section>& sections) {
  std::vector<std::string> texts;
  for (const Section& section : sections) {
    for (const Study& study : section.studies) {
      const auto skipped = study.findings.json.find("skipped");
      if (skipped == study.findings.json.end()) continue;
      const auto text = skipped->get<std::string>();
      if (std::find(texts.begin(), texts.end(), text) == texts.end()) texts.push_back(text);
    }
  }
  return texts;
}

report::Page page_of(const Arguments& a, const std::vector<Section>& sections) {
  const Totals totals = totals_of(sections);
  report::Page page(a.kind->title, a.kind->subtitle);
  page.section("What was checked");
  page.paragraph(std::to_string(totals.num_checks - totals.num_missed) + " of " +
                 std::to_string(totals.num_checks) +
                 " statements hold. Values are of this run; bounds with no other source are what "
                 "rounding, bisection or sampling leaves.");
  page.table(check_table(sections), "Every statement that this run put to the test.");
  page.facts({{"command", "`" + command_of(a) + "`"},
              {"hopfield", version()},
              {"seed", std::to_string(a.settings.seed)},
              {"random numbers", a.kind->random},
              {"data of the figures",
               "`" + std::filesystem::path(data_folder(a)).filename().string() + "/`, CSV"}});
  for (const Section& section : sections) {
    page.section(section.kind->title);
    page.paragraph(section.kind->text);
    for (const Study& study : section.studies) {
      page.heading(study.findings.subtitle.empty()
                       ? study.findings.title
                       : study.findings.title + " (" + study.findings.subtitle + ")");
      add_findings(page, study.findings);
    }
  }
  page.footer(std::string("Made by hopfield ") + version() +
              ". Nothing on this page is loaded from elsewhere.");
  return page;
}

Json json_of(const Arguments& a, const std::vector<Section>& sections) {
  Json json = {{"command", command_of(a)},
               {"hopfield", version()},
               {"seed", a.settings.seed},
               {"quick", a.settings.quick},
               {"all_hold", totals_of(sections).num_missed == 0},
               {"skipped", skipped_data(sections)}};
  Json checks = Json::array(), list = Json::array();
  for (const Section& section : sections) {
    Json studies;
    for (const Study& study : section.studies) {
      studies[study.name] = study.findings.json;
      for (const Check& check : study.findings.checks) {
        checks.push_back({{"section", section.kind->name},
                          {"study", study.name},
                          {"statement", check.statement},
                          {"value", check.value},
                          {"expected", check.expected},
                          {"holds", check.holds}});
      }
    }
    list.push_back({{"section", section.kind->name}, {"studies", studies}});
  }
  json["checks"] = checks;
  json["sections"] = list;
  return json;
}

/// Everything is computed before the first file is written; the page comes last, so that where it
/// is, all is.
void write_all(const Arguments& a, std::vector<Section>& sections) {
  std::vector<DataFile> files;
  for (Section& section : sections) {
    for (Study& study : section.studies) {
      for (DataFile& file : data_files(study)) files.push_back(std::move(file));
    }
  }
  const std::string folder = data_folder(a);
  std::error_code error;
  std::filesystem::create_directory(folder, error);
  if (error) {
    fail(ErrorCode::kIo, "write", "cannot make the folder '" + folder + "': " + error.message());
  }
  for (const DataFile& file : files) {
    atomic_write_file(folder + "/" + file.name, csv_text(file.csv));
  }
  if (!a.json.empty()) write_json(json_path(a.json), json_of(a, sections));
  page_of(a, sections).write(a.report_path);
}

int run(const Arguments& a, const Context& context) {
  check_paths(a);
  std::vector<Section> sections;
  {
    const auto count = std::count_if(a.kind->sections.begin(), a.kind->sections.end(),
                                     [&](const SectionKind& kind) { return a.wants(kind.name); });
    Progress progress("section", count);
    for (const SectionKind& kind : a.kind->sections) {
      if (!a.wants(kind.name)) continue;
      stop_if_cancelled(context);
      progress.update(static_cast<std::int64_t>(sections.size()), kind.name);
      const auto start = std::chrono::steady_clock::now();
      Section section{&kind, kind.make(a.settings, context), 0};
      section.seconds =
          std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      sections.push_back(std::move(section));
    }
  }
  stop_if_cancelled(context);
  write_all(a, sections);
  const Totals totals = totals_of(sections);
  if (json_path(a.json) != "-") {
    for (const Section& section : sections) {
      std::cout << section.kind->name << ": " << report::seconds(section.seconds) << "\n";
    }
    for (const std::string& text : skipped_data(sections)) std::cout << "skipped: " << text << "\n";
    std::cout << totals.num_checks - totals.num_missed << " of " << totals.num_checks
              << " statements hold; report " << a.report_path << ", data " << data_folder(a)
              << "/\n";
  }
  if (totals.num_missed == 0) return kOk;
  note(std::to_string(totals.num_missed) + " of " + std::to_string(totals.num_checks) +
       " statements do not hold; the table at the top of the report names them");
  return kMissed;
}

void add_report(CLI::App& noun, Context& context, const ReportKind& kind) {
  const auto a = std::make_shared<Arguments>();
  a->kind = &kind;
  a->report_path = std::string("hopfield-") + kind.name + ".html";
  CLI::App& command = add_command(noun, context, kind.name, kind.description, {kind.example},
                                  [a, &context] { return run(*a, context); });
  std::vector<std::string> names;
  for (const SectionKind& section : kind.sections) names.emplace_back(section.name);
  command
      .add_option("--report", a->report_path,
                  "The page, FILE.html; the data of its figures go to the folder FILE/")
      ->type_name("FILE.html")
      ->capture_default_str();
  add_json_flag(command, a->json);
  command.add_flag("--quick", a->settings.quick, "Fewer sizes, patterns and trials");
  command.add_option("--only", a->only, "Some sections instead of all")
      ->delimiter(',')
      ->check(CLI::IsMember(names))
      ->type_name("SECTION,...");
  add_whole_number(command, "--seed", a->settings.seed, "Seed of all random numbers", 0);
  command.add_option("--data", a->settings.data, kind.data)->type_name("DIR");
  add_force(command, a->force);
  add_threads(command, context);
}

}  // namespace

void add_reproduce(CLI::App& program, Context& context) {
  CLI::App& noun = add_noun(program, "reproduce", "Experiments of the papers, run again");
  add_report(noun, context, kTheory);
  add_report(noun, context, kMemory);
}

}  // namespace hopfield::cli
