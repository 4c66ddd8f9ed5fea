#ifndef HOPFIELD_REPORT_FORMAT_H_
#define HOPFIELD_REPORT_FORMAT_H_

#include <cstddef>
#include <string>
#include <string_view>

namespace hopfield::report {

/// Numbers as people read them. None depends on the locale; NaN reads "n/a", infinities "inf" and
/// "-inf", and what rounds to zero has no sign.
///
/// `decimals` digits after the point, 0..17: fixed(0.94666, 3) is "0.947".
std::string fixed(double value, int decimals);
/// The same with its sign, what rounds to zero as "+0.000": signed_fixed(0.0123, 3) is "+0.012".
std::string signed_fixed(double value, int decimals);
/// `digits` significant digits, 1..17, without trailing zeros, with an exponent where that is
/// shorter: general(0.000012345, 3) is "1.23e-05".
std::string general(double value, int digits = 4);
/// "0.930 ± 0.012"; without the second part where `spread` is NaN; "n/a" where `value` is.
std::string plus_minus(double value, double spread, int decimals);
/// 1234567 is "1 234 567", with a narrow no-break space between the groups of three.
std::string grouped(long long value);
/// A duration in seconds: "0.42 s", "83 s", "12 min 05 s".
std::string seconds(double value);

/// Columns that `utf8` takes in a terminal: combining and control characters 0, East Asian wide
/// ones and pictographs 2, a broken byte 1.
std::size_t display_width(std::string_view utf8);

/// Text made safe for HTML and XML, in element content and in quoted attributes: & < > " ' become
/// references, control characters that XML forbids and broken UTF-8 become U+FFFD.
std::string escape(std::string_view text);

}  // namespace hopfield::report

#endif  // HOPFIELD_REPORT_FORMAT_H_
