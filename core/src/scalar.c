#include "scalar.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* The offset of the first byte at or after `from` that is not a digit. */
static size_t skip_digits(postern_span text, size_t from) {
    while (from < text.length && is_digit(text.text[from])) from++;
    return from;
}

static bool at(postern_span text, size_t offset, char c) {
    return offset < text.length && text.text[offset] == c;
}

static bool at_sign(postern_span text, size_t offset) {
    return at(text, offset, '+') || at(text, offset, '-');
}

/* ---- Numbers ------------------------------------------------------------ */

static int64_t add_saturated(int64_t a, int64_t b) {
    if (b > 0 && a > INT64_MAX - b) return INT64_MAX;
    if (b < 0 && a < INT64_MIN - b) return INT64_MIN;
    return a + b;
}

/* [+-]digits, for an exponent. Counts downwards: INT64_MIN has no positive. */
static int64_t read_exponent(postern_span text) {
    bool negative = text.text[0] == '-';
    int64_t value = 0;
    for (size_t i = at_sign(text, 0); i < text.length; i++) {
        int digit = text.text[i] - '0';
        if (value < (INT64_MIN + digit) / 10) {
            value = INT64_MIN;
            break;
        }
        value = value * 10 - digit;
    }
    if (negative) return value;
    return value == INT64_MIN ? INT64_MAX : -value;
}

/* Where the parts of a number stand. */
struct number_shape {
    size_t whole;     /* the first digit */
    size_t point;     /* the end of the whole digits */
    size_t end;       /* the end of the fraction */
    int64_t exponent; /* as written, 0 without one */
};

static bool read_shape(postern_span text, struct number_shape *out) {
    size_t next = at_sign(text, 0);
    out->whole = next;
    next = skip_digits(text, next);
    if (next == out->whole) return false;
    out->point = next;
    if (at(text, next, '.')) {
        next = skip_digits(text, next + 1);
        if (next == out->point + 1) return false;
    }
    out->end = next;
    out->exponent = 0;
    if (at(text, next, 'e') || at(text, next, 'E')) {
        postern_span exponent = postern__span_from(text, next + 1);
        size_t first = at_sign(exponent, 0);
        size_t last = skip_digits(exponent, first);
        if (last == first) return false;
        out->exponent = read_exponent((postern_span){exponent.text, last});
        next += 1 + last;
    }
    return next == text.length;
}

bool postern__number_parse(postern_span text, postern__number *out) {
    struct number_shape shape;
    if (!read_shape(text, &shape)) return false;
    size_t first = shape.whole;
    size_t end = shape.end;
    while (first < end && (text.text[first] == '0' || text.text[first] == '.')) first++;
    while (end > first && (text.text[end - 1] == '0' || text.text[end - 1] == '.')) end--;
    *out = (postern__number){.digits = {text.text + first, end - first}};
    if (first == end) return true;
    out->sign = text.text[0] == '-' ? -1 : 1;
    /* 1 stands one place before its point and has exponent 0; .1 stands one
     * place behind it, as the point itself takes a place, and has -1. */
    int64_t place = (int64_t)shape.point - (int64_t)first - (first < shape.point);
    out->exponent = add_saturated(shape.exponent, place);
    return true;
}

/* The digits as if an endless row of zeros stood behind them. Both start with a
 * significant digit and end with one, so a longer row is the larger. */
static int compare_digits(postern_span a, postern_span b) {
    size_t i = 0;
    size_t j = 0;
    for (;;) {
        i += at(a, i, '.');
        j += at(b, j, '.');
        if (i == a.length || j == b.length) return (i < a.length) - (j < b.length);
        if (a.text[i] != b.text[j]) return a.text[i] < b.text[j] ? -1 : 1;
        i++;
        j++;
    }
}

int postern__number_compare(const postern__number *a, const postern__number *b) {
    if (a->sign != b->sign) return a->sign < b->sign ? -1 : 1;
    if (a->exponent != b->exponent) return a->exponent < b->exponent ? -a->sign : a->sign;
    return a->sign * compare_digits(a->digits, b->digits);
}

/* Rewrites a number for strtod without a point, which only the locale knows:
 * digits, then an exponent that puts the point where it was. False when there
 * are more digits than fit. */
enum { PLAIN_SIZE = 128, EXPONENT_SIZE = 24 };

static bool write_plain(const postern__number *number, char plain[PLAIN_SIZE]) {
    size_t used = 0;
    if (number->digits.length + EXPONENT_SIZE > PLAIN_SIZE) return false;
    if (number->sign < 0) plain[used++] = '-';
    size_t before = used;
    for (size_t i = 0; i < number->digits.length; i++) {
        if (number->digits.text[i] != '.') plain[used++] = number->digits.text[i];
    }
    int64_t exponent = add_saturated(number->exponent, 1 - (int64_t)(used - before));
    snprintf(plain + used, PLAIN_SIZE - used, "e%lld", (long long)exponent);
    return true;
}

/* The locale's point may be any bytes that no number has otherwise. */
static size_t restore_point(char *text) {
    size_t used = 0;
    for (const char *from = text; *from != '\0'; from++) {
        if (strchr("0123456789+-e", *from) != NULL) {
            text[used++] = *from;
        } else if (used > 0 && text[used - 1] != '.') {
            text[used++] = '.';
        }
    }
    text[used] = '\0';
    return used;
}

postern_span postern__number_text(postern_span text, char buffer[POSTERN__NUMBER_SIZE]) {
    postern__number number;
    char plain[PLAIN_SIZE];
    if (!postern__number_parse(text, &number)) return text;
    if (number.sign == 0) return POSTERN__SPAN("0");
    size_t sign = at(text, 0, '+');
    if (skip_digits(text, at_sign(text, 0)) == text.length) return postern__span_from(text, sign);
    if (!write_plain(&number, plain)) return text;
    double value = strtod(plain, NULL);
    if (value == 0 || isinf(value)) return text;
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(buffer, POSTERN__NUMBER_SIZE, "%.*g", digits, value);
        if (strtod(buffer, NULL) == value) break;
    }
    return (postern_span){buffer, restore_point(buffer)};
}

/* ---- Booleans ----------------------------------------------------------- */

bool postern__bool_parse(postern_span text, bool *out) {
    *out = postern__span_equal_folded(text, POSTERN__SPAN("true"));
    return *out || postern__span_equal_folded(text, POSTERN__SPAN("false"));
}

/* ---- Instants ----------------------------------------------------------- */

enum {
    MINUTE = 60,
    HOUR = 60 * MINUTE,
    DAY = 24 * HOUR,
    DAYS_BEFORE_1970 = 719528, /* since the first of January of year 0 */
    NANOSECOND_DIGITS = 9
};

/* Reads on from `offset`; once something does not fit, `ok` stays false. */
struct reader {
    postern_span text;
    size_t offset;
    bool ok;
};

static bool next_is(const struct reader *reader, char c) {
    return at(reader->text, reader->offset, c);
}

static void expect(struct reader *reader, char c) {
    if (!next_is(reader, c)) reader->ok = false;
    reader->offset++;
}

/* Exactly `count` digits with a value from `least` to `most`. */
static int read_field(struct reader *reader, size_t count, int least, int most) {
    int value = 0;
    for (size_t i = 0; i < count; i++, reader->offset++) {
        if (reader->offset >= reader->text.length || !is_digit(reader->text.text[reader->offset]))
            reader->ok = false;
        if (!reader->ok) return least;
        value = value * 10 + (reader->text.text[reader->offset] - '0');
    }
    if (value < least || value > most) reader->ok = false;
    return reader->ok ? value : least;
}

static bool is_leap(int year) {
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int month_length(int year, int month) {
    static const char lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return lengths[month - 1] + (month == 2 && is_leap(year));
}

/* Days since 1970-01-01, proleptic Gregorian, for years from 0. */
static int64_t days_from_date(int year, int month, int day) {
    /* Year 0 is a leap year, hence one leap day in every year begun. */
    int leap_days = (year + 3) / 4 - (year + 99) / 100 + (year + 399) / 400;
    int64_t days = (int64_t)year * 365 + leap_days - DAYS_BEFORE_1970;
    for (int before = 1; before < month; before++) days += month_length(year, before);
    return days + day - 1;
}

/* Digits behind the point; those beyond nanoseconds only have to be digits. */
static int32_t read_fraction(struct reader *reader) {
    size_t first = reader->offset;
    size_t end = skip_digits(reader->text, first);
    int32_t value = 0;
    for (size_t i = 0; i < NANOSECOND_DIGITS; i++)
        value = value * 10 + (first + i < end ? reader->text.text[first + i] - '0' : 0);
    if (end == first) reader->ok = false;
    reader->offset = end;
    return value;
}

/* Z, +hh:mm or -hh:mm, at most 23:59, as seconds east of UTC. */
static int read_zone(struct reader *reader) {
    if (next_is(reader, 'Z')) {
        reader->offset++;
        return 0;
    }
    bool west = next_is(reader, '-');
    if (!west && !next_is(reader, '+')) return 0;
    reader->offset++;
    int seconds = read_field(reader, 2, 0, 23) * HOUR;
    expect(reader, ':');
    seconds += read_field(reader, 2, 0, 59) * MINUTE;
    return west ? -seconds : seconds;
}

/* hh:mm, hh:mm:ss or hh:mm:ss.f+, with or without a zone. */
static void read_time(struct reader *reader, postern__instant *out) {
    out->seconds += read_field(reader, 2, 0, 23) * HOUR;
    expect(reader, ':');
    out->seconds += read_field(reader, 2, 0, 59) * MINUTE;
    if (next_is(reader, ':')) {
        reader->offset++;
        out->seconds += read_field(reader, 2, 0, 59);
        if (next_is(reader, '.')) {
            reader->offset++;
            out->nanoseconds = read_fraction(reader);
        }
    }
    out->seconds -= read_zone(reader);
}

static bool read_date(postern_span text, postern__instant *out) {
    struct reader reader = {.text = text, .ok = true};
    int month = 1;
    int day = 1;
    int year = read_field(&reader, 4, 0, 9999);
    bool has_day = false;
    if (next_is(&reader, '-')) {
        reader.offset++;
        month = read_field(&reader, 2, 1, 12);
        has_day = next_is(&reader, '-');
    }
    if (has_day) {
        reader.offset++;
        day = read_field(&reader, 2, 1, month_length(year, month));
    }
    *out = (postern__instant){.seconds = days_from_date(year, month, day) * DAY};
    if (has_day && next_is(&reader, 'T')) {
        reader.offset++;
        read_time(&reader, out);
    }
    return reader.ok && reader.offset == text.length;
}

static bool read_epoch(postern_span text, postern__instant *out) {
    int64_t value = 0;
    for (size_t i = 0; i < text.length; i++) {
        int digit = text.text[i] - '0';
        if (value > (INT64_MAX - digit) / 10) return false;
        value = value * 10 + digit;
    }
    *out = (postern__instant){.seconds = value};
    return text.length > 0;
}

bool postern__instant_parse(postern_span text, postern__instant *out) {
    bool all_digits = skip_digits(text, 0) == text.length;
    return all_digits && text.length != 4 ? read_epoch(text, out) : read_date(text, out);
}

int postern__instant_compare(const postern__instant *a, const postern__instant *b) {
    if (a->seconds != b->seconds) return a->seconds < b->seconds ? -1 : 1;
    return (a->nanoseconds > b->nanoseconds) - (a->nanoseconds < b->nanoseconds);
}

/* ---- Base64 ------------------------------------------------------------- */

/* The value of a character of the standard alphabet, or -1. */
static int sextet(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (is_digit(c)) return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* How many characters stand before the padding, which is at most two. */
static size_t unpadded(postern_span text) {
    size_t length = text.length;
    while (length > 0 && text.length - length < 2 && text.text[length - 1] == '=') length--;
    return length;
}

bool postern__base64_valid(postern_span text) {
    if (text.length % 4 != 0) return false;
    size_t length = unpadded(text);
    for (size_t i = 0; i < length; i++) {
        if (sextet(text.text[i]) < 0) return false;
    }
    return true;
}

bool postern__base64_equal(postern_span a, postern_span b) {
    size_t length = unpadded(a);
    if (a.length != b.length || length != unpadded(b)) return false;
    if (!postern__base64_valid(a) || !postern__base64_valid(b)) return false;
    if (length == a.length) return postern__span_equal(a, b);
    /* The last character before the padding carries two or four bits that
     * belong to no byte. */
    size_t last = length - 1;
    int unused = 2 * (int)(a.length - length);
    return memcmp(a.text, b.text, last) == 0 &&
           sextet(a.text[last]) >> unused == sextet(b.text[last]) >> unused;
}
