#include "report/style.h"

#include "hopfield/base/error.h"

// Neither '<' nor '&' may appear below: the sheets stand unescaped in HTML and in XML.
namespace hopfield::report::internal {

// Six series colours, each at least 4.5:1 against its background in light and in dark; their
// order alternates hue and lightness for readers who do not tell red from green.
std::string_view colours_css() {
  return R"css(
:root{color-scheme:light dark;
--hf-ground:#fbfaf8;--hf-panel:#ffffff;--hf-text:#1d2126;--hf-soft:#59616b;--hf-faint:#dcdad5;--hf-grid:#e9e7e2;
--hf-accent:#15569e;--hf-tint:#eef3f9;--hf-warn:#8a4b00;--hf-warn-tint:#fdf3e1;--hf-good:#17693a;--hf-bad:#b3261e;
--hf-1:#15569e;--hf-2:#b9480b;--hf-3:#0c7268;--hf-4:#8a3aa0;--hf-5:#846000;--hf-6:#555e69}
@media (prefers-color-scheme:dark){:root{
--hf-ground:#121519;--hf-panel:#1a1e24;--hf-text:#e8e9eb;--hf-soft:#a3abb5;--hf-faint:#343a43;--hf-grid:#282d35;
--hf-accent:#7bb8ff;--hf-tint:#1b2735;--hf-warn:#f2be6a;--hf-warn-tint:#2d2415;--hf-good:#6fd08f;--hf-bad:#ff8d85;
--hf-1:#6cb1ff;--hf-2:#ff9a63;--hf-3:#45cdbb;--hf-4:#d59be9;--hf-5:#e2ba55;--hf-6:#aeb6c0}}
)css";
}

std::string_view drawing_css() {
  return R"css(
.hf-plot{font:13px system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
.hf-plot text{fill:var(--hf-text)}
.hf-plot .hf-title{font-weight:600;font-size:14px}
.hf-plot .hf-tick,.hf-plot .hf-axis-label,.hf-plot .hf-remark{fill:var(--hf-soft)}
.hf-plot .hf-remark{font-size:11.5px;font-style:italic}
.hf-plot .hf-number{font-variant-numeric:tabular-nums}
.hf-plot .hf-grid{stroke:var(--hf-grid);stroke-width:1}
.hf-plot .hf-axis{stroke:var(--hf-soft);stroke-width:1}
.hf-plot .hf-line{fill:none;stroke:currentColor;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}
.hf-plot .hf-error{fill:none;stroke:currentColor;stroke-width:1.25}
.hf-plot .hf-bar-error{fill:none;stroke:var(--hf-text);stroke-width:1.5}
.hf-plot .hf-series{fill:currentColor}
.hf-plot .hf-open{fill:none;stroke:currentColor;stroke-width:1.8}
.hf-c1{color:var(--hf-1)}.hf-c2{color:var(--hf-2)}.hf-c3{color:var(--hf-3)}
.hf-c4{color:var(--hf-4)}.hf-c5{color:var(--hf-5)}.hf-c6{color:var(--hf-6)}
.hf-muted{color:var(--hf-soft)}.hf-muted .hf-line{stroke-width:1.25}
)css";
}

std::string_view page_css() {
  return R"css(
*{box-sizing:border-box}
body{margin:0;background:var(--hf-ground);color:var(--hf-text);
font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;-webkit-text-size-adjust:100%}
.hf-page{max-width:66rem;margin:0 auto;padding:2.2rem 1.25rem 3rem}
header{border-bottom:1px solid var(--hf-faint);margin-bottom:1.6rem;padding-bottom:1.1rem}
h1{font-size:1.95rem;line-height:1.2;margin:0;letter-spacing:-.015em;text-wrap:balance}
.hf-subtitle{color:var(--hf-soft);margin:.45rem 0 0;font-size:1.06rem;max-width:48rem}
nav{margin:.9rem 0 0;display:flex;flex-wrap:wrap;gap:.3rem 1.2rem;font-size:.94rem}
a{color:var(--hf-accent);text-underline-offset:.18em}
section{margin:0 0 2.6rem}
h2{font-size:1.35rem;line-height:1.25;margin:2.2rem 0 .7rem;letter-spacing:-.01em}
h3{font-size:1.1rem;line-height:1.3;margin:1.8rem 0 .5rem}
p,ul{max-width:44rem;margin:.7rem 0}
ul{padding-left:1.25rem}
li{margin:.25rem 0}
code,pre{font:.88em/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace}
code{background:var(--hf-tint);border-radius:4px;padding:.08em .32em;overflow-wrap:anywhere}
pre{background:var(--hf-panel);border:1px solid var(--hf-faint);border-radius:8px;padding:.8rem 1rem;overflow-x:auto;margin:.9rem 0}
.hf-note{max-width:44rem;margin:1rem 0;padding:.65rem .95rem;border-left:4px solid var(--hf-accent);background:var(--hf-tint);border-radius:0 8px 8px 0}
.hf-warning{border-color:var(--hf-warn);background:var(--hf-warn-tint)}
.hf-tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(12.5rem,1fr));gap:.8rem;margin:1.2rem 0}
.hf-tile{background:var(--hf-panel);border:1px solid var(--hf-faint);border-radius:10px;padding:.85rem 1rem}
.hf-tile b{display:block;font-size:1.75rem;line-height:1.15;font-weight:650;letter-spacing:-.02em;font-variant-numeric:tabular-nums}
.hf-tile span{display:block;margin-top:.25rem}
.hf-tile small{display:block;color:var(--hf-soft);font-size:.86rem;line-height:1.4;margin-top:.15rem}
figure{margin:1.1rem 0;background:var(--hf-panel);border:1px solid var(--hf-faint);border-radius:10px;padding:1rem 1rem .8rem;min-width:0}
figcaption{color:var(--hf-soft);font-size:.9rem;line-height:1.45;margin-top:.6rem;max-width:46rem}
figcaption b{color:var(--hf-text);font-weight:600}
.hf-plot{display:block;width:100%;height:auto;max-width:38rem}
.hf-row{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,24rem),1fr));gap:1rem;align-items:start;margin:1.1rem 0}
.hf-row figure{margin:0}
.hf-stack{display:grid;gap:1rem;align-content:start;min-width:0}
.hf-scroll{overflow-x:auto}
table{border-collapse:collapse;font-size:.95rem;font-variant-numeric:tabular-nums;min-width:min(100%,24rem)}
th,td{text-align:left;padding:.38rem 1.25rem .38rem 0;border-bottom:1px solid var(--hf-grid);vertical-align:top}
th:last-child,td:last-child{padding-right:0}
th{font-weight:600;color:var(--hf-soft);border-bottom-color:var(--hf-soft);vertical-align:bottom;font-size:.9rem}
tbody tr:last-child td{border-bottom:0}
.hf-right{text-align:right}td.hf-right{white-space:nowrap}
.hf-strong td{font-weight:650}
.hf-rule td{border-top:1px solid var(--hf-soft)}
dl{display:grid;grid-template-columns:minmax(7rem,max-content) minmax(0,1fr);gap:.3rem 1.3rem;margin:1rem 0;font-size:.95rem}
dt{color:var(--hf-soft)}
dd{margin:0;overflow-wrap:anywhere}
.hf-cards{display:grid;gap:.9rem;margin:.2rem 0}
.hf-card{border:1px solid var(--hf-grid);border-radius:8px;padding:.55rem .6rem .5rem}
.hf-card-title{font-size:.85rem;line-height:1.35;color:var(--hf-soft);margin:0 0 .4rem}
.hf-cells{display:flex;gap:.5rem}
.hf-cell{flex:1 1 0;min-width:0;text-align:center;font-size:.78rem;line-height:1.3;color:var(--hf-soft)}
.hf-cell .hf-caption{display:block;margin-top:.15rem;overflow-wrap:anywhere}
.hf-picture{display:block;width:100%;height:auto;color:var(--hf-text);background:var(--hf-ground);border:1px solid var(--hf-faint);border-radius:3px}
.hf-unknown{fill:var(--hf-2);fill-opacity:.16}
.hf-unknown-mark{stroke:var(--hf-2);stroke-opacity:.55;fill:none}
.hf-good{color:var(--hf-good);font-weight:700}
.hf-bad{color:var(--hf-bad);font-weight:700}
footer{border-top:1px solid var(--hf-faint);color:var(--hf-soft);font-size:.9rem;padding-top:.9rem}
footer p{margin:.4rem 0}
@media (max-width:30rem){.hf-page{padding:1.3rem .85rem 2rem}h1{font-size:1.6rem}figure{padding:.75rem .7rem .6rem}
.hf-tiles{grid-template-columns:1fr 1fr;gap:.6rem}.hf-tile{padding:.65rem .75rem}.hf-tile b{font-size:1.4rem}.hf-tile:last-child:nth-child(odd){grid-column:1/-1}
table{font-size:.88rem}th{font-size:.84rem}th,td{padding-right:.75rem}
dl{grid-template-columns:1fr;gap:0}dd{margin:0 0 .5rem}}
@media print{:root{color-scheme:light;
--hf-ground:#fff;--hf-panel:#fff;--hf-text:#000;--hf-soft:#444;--hf-faint:#bbb;--hf-grid:#ddd;
--hf-accent:#15569e;--hf-tint:#f4f4f4;--hf-warn:#8a4b00;--hf-warn-tint:#f8f3e8;--hf-good:#17693a;--hf-bad:#b3261e;
--hf-1:#15569e;--hf-2:#b9480b;--hf-3:#0c7268;--hf-4:#8a3aa0;--hf-5:#846000;--hf-6:#555e69}
body{font-size:10.5pt}.hf-page{max-width:none;padding:0}nav{display:none}
figure,.hf-tile,.hf-note,.hf-card,tr{break-inside:avoid}h2,h3{break-after:avoid}.hf-scroll{overflow:visible}pre{white-space:pre-wrap}}
)css";
}

std::string with_style(const std::string& svg) {
  const std::size_t end_of_tag = svg.find(">\n");
  HOPFIELD_CHECK(end_of_tag != std::string::npos);
  std::string out = svg.substr(0, end_of_tag + 2);
  out += "<style>";
  out += colours_css();
  out += drawing_css();
  out += "</style>\n<rect width=\"100%\" height=\"100%\" fill=\"var(--hf-panel)\"/>\n";
  out += svg.substr(end_of_tag + 2);
  return out;
}

}  // namespace hopfield::report::internal
