#define _DEFAULT_SOURCE /* timegm */

#include "scalar.h"

#include <locale.h>
#include <stdlib.h>
#include <time.h>

#include "inputs.h"
#include "test.h"

static int random_int(int limit) {
    return (int)random_below((size_t)limit);
}

static int sign_of(int value) {
    return (value > 0) - (value < 0);
}

/* ---- Numbers ------------------------------------------------------------ */

static void numbers_parse(void) {
    static const struct {
        const char *text;
        int sign;
        int64_t exponent;
        const char *digits;
    } rows[] = {
        {"0", 0, 0, ""},
        {"-0", 0, 0, ""},
        {"+000.000e99999999999999999999", 0, 0, ""},
        {"1", 1, 0, "1"},
        {"+5", 1, 0, "5"},
        {"-12", -1, 1, "12"},
        {"007", 1, 0, "7"},
        {"100", 1, 2, "1"},
        {"100.5", 1, 2, "100.5"},
        {"1.50", 1, 0, "1.5"},
        {"20.0", 1, 1, "2"},
        {"0.1", 1, -1, "1"},
        {"000.00120", 1, -3, "12"},
        {"50e-1", 1, 0, "5"},
        {"1e10", 1, 10, "1"},
        {"1E+10", 1, 10, "1"},
        {"12.5e0010", 1, 11, "12.5"},
        {"1e-007", 1, -7, "1"},
        /* Exponents at and past the ends of 64 bits. */
        {"1e9223372036854775806", 1, INT64_MAX - 1, "1"},
        {"1e9223372036854775807", 1, INT64_MAX, "1"},
        {"1e9223372036854775808", 1, INT64_MAX, "1"},
        {"10e9223372036854775807", 1, INT64_MAX, "1"},
        {"1e-9223372036854775808", 1, INT64_MIN, "1"},
        {"1e-9223372036854775809", 1, INT64_MIN, "1"},
        {"0.1e-9223372036854775808", 1, INT64_MIN, "1"},
        {"1e9999999999999999999", 1, INT64_MAX, "1"},
        {"-1e-99999999999999999999999999999999999999", -1, INT64_MIN, "1"},
        {"1e-00000000000000000000000000000000000001", 1, -1, "1"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        postern__number number;
        bool parsed = postern__number_parse(span(rows[i].text), &number);
        CHECK_ROW(parsed, rows[i].text);
        if (!parsed) continue;
        CHECK_ROW(number.sign == rows[i].sign, rows[i].text);
        CHECK_ROW(number.exponent == rows[i].exponent, rows[i].text);
        CHECK_ROW(postern__span_equal(number.digits, span(rows[i].digits)), rows[i].text);
    }
}

static void other_text_is_no_number(void) {
    static const char *const rows[] = {
        "", "+", "-", ".", "e", ".5", "5.", "-.5", "5.e1", "1e", "1e+", "1e-", "e5", "1e5.0",
        "1e5e5", "+-5", "--5", "5-", "5+", " 5", "5 ", "1 000", "1,5", "1_000", "0x10", "1f", "NaN",
        "nan", "inf", "Infinity", "1.2.3", "1..2", "five", "1e 5", "\t1", "1\n",
    };
    postern__number number;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        CHECK_ROW(!postern__number_parse(span(rows[i]), &number), rows[i]);
    CHECK(!postern__number_parse((postern_span){NULL, 0}, &number));
    CHECK(!postern__number_parse((postern_span){"1\0", 2}, &number));
    CHECK(postern__number_parse((postern_span){"1x", 1}, &number)); /* the length decides */
}

static int compare_texts(const char *a, const char *b) {
    postern__number left, right;
    CHECK_ROW(postern__number_parse(span(a), &left), a);
    CHECK_ROW(postern__number_parse(span(b), &right), b);
    return sign_of(postern__number_compare(&left, &right));
}

/* Each row holds spellings of one number, and is less than the next row. */
static void numbers_compare(void) {
    static const char *const rows[][4] = {
        {"-1e9999999999999999999", "-1e99999999999999999999"}, /* both saturate */
        {"-123456789012345678901234567890.5"},
        {"-10", "-1e1", "-0.1e2", "-010.0"},
        {"-9.99"},
        {"-1"},
        {"-0.1"},
        {"-1e-400"},
        {"0", "-0", "0.0", "0e5"},
        {"1e-400", "0.1e-399"},
        {"0.09999"},
        {"0.1", "1e-1", "00.10"},
        {"0.1000000000000000000000000000000000000001"},
        {"1", "+1", "1.0", "10e-1"},
        {"1.0000000000000000000000000000000000000001"},
        {"5", "+5", "5.0", "50e-1"},
        {"9.5"},
        {"10"},
        {"99.99"},
        {"100", "1e2", "100.000"},
        {"100.5"},
        {"101"},
        {"9007199254740992"}, /* the same double as the next */
        {"9007199254740993", "9007199254740.993e3"},
        {"9223372036854775807"},
        {"18446744073709551616"},
        {"1e400", "10e399"},
        {"2e400"},
        {"1e9223372036854775806", "10e9223372036854775805"},
        {"1e9999999999999999999", "1e99999999999999999999"},
    };
    enum { ROWS = sizeof rows / sizeof *rows };
    for (int i = 0; i < ROWS; i++) {
        for (int j = 0; j < ROWS; j++) {
            for (int k = 0; k < 16; k++) {
                const char *a = rows[i][k / 4];
                const char *b = rows[j][k % 4];
                if (a != NULL && b != NULL) CHECK_ROW(compare_texts(a, b) == sign_of(i - j), a);
            }
        }
    }
}

/* A number spread out over fixed places, so that comparing is strcmp. */
enum { PLACES = 320, POINT = 160 };

static int spread(const char *text, char places[PLACES + 1]) {
    const char *start = text + (*text == '-' || *text == '+');
    const char *exponent = strchr(start, 'e');
    size_t end = exponent == NULL ? strlen(start) : (size_t)(exponent - start);
    size_t whole = strcspn(start, ".e");
    int place = POINT - (int)whole - (exponent == NULL ? 0 : atoi(exponent + 1));
    bool zero = true;
    memset(places, '0', PLACES);
    places[PLACES] = '\0';
    for (size_t i = 0; i < end; i++) {
        if (start[i] == '.') continue;
        places[place++] = start[i];
        zero = zero && start[i] == '0';
    }
    return zero ? 0 : *text == '-' ? -1 : 1;
}

static void write_number(char text[64]) {
    static const char *const signs[] = {"", "", "-", "+"};
    int whole = random_int(random_int(2) == 0 ? 2 : 300); /* often the same number */
    int used = sprintf(text, "%s%0*d", signs[random_int(4)], random_int(6), whole);
    if (random_int(2) == 0)
        used += sprintf(text + used, ".%0*d", 1 + random_int(6), random_int(30) * 10);
    if (random_int(2) == 0) sprintf(text + used, "e%d", random_int(7) - 3);
    if (random_int(8) == 0) sprintf(text + used, "e%+d", random_int(241) - 120);
}

static void numbers_compare_as_padded_text(void) {
    int answers[3] = {0};
    random_state = 1234;
    for (int i = 0; i < 100000; i++) {
        char a[64], b[64], a_places[PLACES + 1], b_places[PLACES + 1];
        write_number(a);
        write_number(b);
        int a_sign = spread(a, a_places);
        int b_sign = spread(b, b_places);
        int expected = sign_of(a_sign - b_sign);
        if (expected == 0) expected = a_sign * sign_of(strcmp(a_places, b_places));
        CHECK_ROW(compare_texts(a, b) == expected, a);
        answers[expected + 1]++;
    }
    CHECK(answers[0] > 1000 && answers[1] > 1000 && answers[2] > 1000);
}

/* Four places before the point and four behind it are exact in an int64. */
static void numbers_compare_as_integers(void) {
    random_state = 4321;
    for (int i = 0; i < 100000; i++) {
        char texts[2][32];
        int64_t values[2];
        for (int k = 0; k < 2; k++) {
            int whole = random_int(random_int(2) == 0 ? 3 : 10000);
            int fraction = random_int(3) * 1000 + random_int(3);
            bool negative = random_int(2) == 0;
            sprintf(texts[k], "%s%d.%04d", negative ? "-" : "", whole, fraction);
            values[k] = (int64_t)whole * 10000 + fraction;
            if (negative) values[k] = -values[k];
        }
        int expected = (values[0] > values[1]) - (values[0] < values[1]);
        CHECK_ROW(compare_texts(texts[0], texts[1]) == expected, texts[0]);
    }
}

/* ---- The text of numbers ------------------------------------------------ */

static const char *number_text(const char *text, char result[512]) {
    char buffer[POSTERN__NUMBER_SIZE];
    postern_span out = postern__number_text(span(text), buffer);
    memcpy(result, out.text, out.length);
    result[out.length] = '\0';
    return result;
}

static const struct {
    const char *text;
    const char *expected;
} number_texts[] = {
    {"0", "0"},
    {"-0", "0"},
    {"-0.0e5", "0"},
    {"42", "42"},
    {"-42", "-42"},
    {"123456789012345678901234567890", "123456789012345678901234567890"}, /* kept, not rounded */
    {"+7", "7"}, /* JSON has none */
    {"1.0", "1"},
    {"-1.50", "-1.5"},
    {"0.1", "0.1"},
    {"0.30000000000000004", "0.30000000000000004"}, /* needs 17 digits */
    {"0.1000000000000000055511151231257827", "0.1"},
    {"1e2", "100"},
    {"1E+2", "100"},
    {"12345.678e-2", "123.45678"},
    {"1e14", "100000000000000"},
    {"1e15", "1e+15"},
    {"1e21", "1e+21"},
    {"1e-4", "0.0001"},
    {"1e-7", "1e-07"},
    {"1.7976931348623157e308", "1.7976931348623157e+308"},
    {"-2.2250738585072014e-308", "-2.2250738585072014e-308"}, /* the longest */
    {"5e-324", "4.94065645841247e-324"}, /* 15 digits read back, though one would */
    /* No double holds these. */
    {"1e400", "1e400"},
    {"-1e400", "-1e400"},
    {"1e-400", "1e-400"},
    {"1e99999999999999999999", "1e99999999999999999999"},
    {"1e-99999999999999999999", "1e-99999999999999999999"},
    {"", ""},
    {"1.", "1."}, /* not a number */
};

static void check_number_texts(void) {
    for (size_t i = 0; i < sizeof number_texts / sizeof *number_texts; i++) {
        char result[512];
        CHECK_TEXT(number_text(number_texts[i].text, result), number_texts[i].expected);
    }
}

static void numbers_have_a_text(void) {
    check_number_texts();
    char long_text[400] = "0.";
    char result[512];
    memset(long_text + 2, '3', 300);
    CHECK_TEXT(number_text(long_text, result), long_text); /* too many digits: kept whole */
    memset(long_text + 2, '0', 300);
    long_text[301] = '7';
    CHECK_TEXT(number_text(long_text, result), "7e-300"); /* one significant digit */
}

static void doubles_read_back(void) {
    random_state = 8;
    for (int i = 0; i < 20000; i++) {
        char text[64], once[512], twice[512];
        uint64_t bits = next_random();
        double value;
        memcpy(&value, &bits, sizeof value);
        snprintf(text, sizeof text, "%.17g", value);
        if (strchr("0123456789", text[strlen(text) - 1]) == NULL) continue; /* inf, nan */
        number_text(text, once);
        CHECK_ROW(strtod(once, NULL) == value, text);
        CHECK_TEXT(number_text(once, twice), once);
    }
}

/* Where the locale writes 1,5. A machine without such a locale cannot tell. */
static void locale_does_not_matter(void) {
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8",
                                        "pt_BR.UTF-8", "ps_AF.UTF-8"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (setlocale(LC_NUMERIC, names[i]) == NULL) continue;
        printf("     with locale %s\n", names[i]);
        check_number_texts();
        setlocale(LC_NUMERIC, "C");
    }
    printf("     (only locales that are installed)\n");
    check_number_texts();
}

/* ---- Booleans ----------------------------------------------------------- */

static void booleans_parse(void) {
    static const struct {
        const char *text;
        int value; /* -1: none */
    } rows[] = {
        {"true", 1}, {"True", 1},   {"TRUE", 1},  {"tRuE", 1}, {"false", 0},  {"FALSE", 0},
        {"", -1},    {"1", -1},     {"0", -1},    {"yes", -1}, {"true ", -1}, {" true", -1},
        {"tru", -1}, {"truee", -1}, {"null", -1}, {"falſe", -1}, /* long s folds only in Unicode */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool value = true;
        bool parsed = postern__bool_parse(span(rows[i].text), &value);
        CHECK_ROW(parsed == (rows[i].value >= 0), rows[i].text);
        CHECK_ROW(value == (rows[i].value == 1), rows[i].text);
    }
}

/* ---- Instants ----------------------------------------------------------- */

static void instants_parse(void) {
    static const struct {
        const char *text;
        int64_t seconds;
        int32_t nanoseconds;
    } rows[] = {
        {"1970", 0, 0}, /* four digits are a year */
        {"1970-01", 0, 0},
        {"1970-01-01", 0, 0},
        {"1970-01-01T00:00", 0, 0},
        {"1970-01-01T00:00Z", 0, 0},
        {"1970-01-01T00:00:00Z", 0, 0},
        {"1970-01-01T01:00:00+01:00", 0, 0},
        {"1969-12-31T18:30:00-05:30", 0, 0},
        {"1970-01-01T00:00:00-00:00", 0, 0},
        {"1970-01-02T23:59:00+23:59", 86400, 0}, /* the widest zone */
        {"1969-12-31T00:01:00-23:59", 0, 0},
        {"1970-01-01T01:00+01:00", 0, 0}, /* a zone without seconds */
        {"2024-07-04T12:34:56Z", 1720096496, 0},
        {"2024-07-04T12:34:56", 1720096496, 0},
        {"2024-07-04T12:34", 1720096440, 0},
        {"2024-07", 1719792000, 0},
        {"2024", 1704067200, 0},
        {"2024-02-29", 1709164800, 0},
        {"2000-02-29", 951782400, 0},
        {"1969-12-31T23:59:59Z", -1, 0},
        {"0000-01-01", -62167219200, 0},
        {"0000-02-29", -62162121600, 0}, /* year 0 is a leap year */
        {"0001-01-01", -62135596800, 0},
        {"9999-12-31T23:59:59.999999999Z", 253402300799, 999999999},
        {"0000-01-01T00:00:00+23:59", -62167305540, 0},
        {"9999-12-31T23:59:59-23:59", 253402387139, 0},
        /* Fractions. */
        {"1970-01-01T00:00:00.5Z", 0, 500000000},
        {"1970-01-01T00:00:00.000000001", 0, 1},
        {"1970-01-01T00:00:00.1234567899999Z", 0, 123456789},
        {"1970-01-01T00:00:00.0000000009Z", 0, 0},
        {"1969-12-31T23:59:59.25Z", -1, 250000000},
        {"1970-01-01T01:00:00.5+01:00", 0, 500000000},
        /* Epoch seconds. */
        {"0", 0, 0},
        {"123", 123, 0},
        {"0000", -62167219200, 0}, /* a year again */
        {"01970", 1970, 0},
        {"1720096496", 1720096496, 0},
        {"20240704", 20240704, 0},
        {"9223372036854775807", INT64_MAX, 0},
        {"0009223372036854775807", INT64_MAX, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        postern__instant instant;
        bool parsed = postern__instant_parse(span(rows[i].text), &instant);
        CHECK_ROW(parsed, rows[i].text);
        if (!parsed) continue;
        CHECK_ROW(instant.seconds == rows[i].seconds, rows[i].text);
        CHECK_ROW(instant.nanoseconds == rows[i].nanoseconds, rows[i].text);
    }
}

static void other_text_is_no_instant(void) {
    static const char *const rows[] = {
        "", "-", "T", "Z", "now", "*", "2024-*",
        "9223372036854775808", "99999999999999999999999", /* beyond 63 bits */
        "-1", "+1", "1.5", "1e9", "0x7f", " 0", "0 ", "12 34", /* not all digits */
        "2024-", "2024-1", "2024-00", "2024-13", "2024-001", "202-01", "02024-01", "2024/01/01",
        "2024-01-", "2024-01-1", "2024-01-00", "2024-01-32", "2024-04-31", "2024-02-30",
        "2023-02-29", "1900-02-29", "2100-02-29", "2024-01-001", "2024-1-01",
        "2024-01-01T", "2024-01-01T1", "2024-01-01T12", "2024-01-01T12:", "2024-01-01T12:0",
        "2024-01-01T24:00", "2024-01-01T12:60", "2024-01-01T12:00:", "2024-01-01T12:00:0",
        "2024-01-01T12:00:60", "2024-12-31T23:59:60Z", /* no leap seconds */
        "2024-01-01T12:00:00.", "2024-01-01T12:00:00.Z", "2024-01-01T12:00:00,5Z",
        "2024-01-01T12:00.5Z", "2024-01-01T12:00:00.5.5Z",
        "2024-01-01t12:00:00Z", "2024-01-01T12:00:00z", "2024-01-01 12:00:00", "2024-01-01T12:00 Z",
        "2024-01-01T1200", "20240101T120000Z", "2024-01T12:00", "2024T12:00", "2024-01-01T-1:00",
        "2024Z", "2024-01Z", "2024-01-01Z", "2024-01-01+01:00", /* a zone needs a time */
        "2024-01-01T12:00+", "2024-01-01T12:00+1", "2024-01-01T12:00+01", "2024-01-01T12:00+0100",
        "2024-01-01T12:00+01:0", "2024-01-01T12:00+01:60", "2024-01-01T12:00+24:00",
        "2024-01-01T12:00+01:00Z", "2024-01-01T12:00ZZ", "2024-01-01T12:00Z ", " 2024-01-01",
        "10000-01-01", "-2024-01-01", "+2024-01-01", "2024-W01-1", "2024-001T00:00",
    };
    postern__instant instant;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        CHECK_ROW(!postern__instant_parse(span(rows[i]), &instant), rows[i]);
    CHECK(!postern__instant_parse((postern_span){NULL, 0}, &instant));
    CHECK(!postern__instant_parse((postern_span){"2024\0", 5}, &instant));
    /* The length decides, though more would fit. */
    CHECK(postern__instant_parse((postern_span){"2024-01-01T12:00", 10}, &instant));
    CHECK(instant.seconds == 1704067200);
}

/* A day of the calendar is one that timegm leaves as it is. */
static void dates_are_as_timegm_says(void) {
    static const int days[] = {1, 28, 29, 30, 31};
    random_state = 24;
    for (int year = 0; year <= 9999; year++) {
        int month = random_int(3) == 0 ? 2 : 1 + random_int(12);
        for (size_t i = 0; i < sizeof days / sizeof *days; i++) {
            struct tm tm = {.tm_year = year - 1900,
                            .tm_mon = month - 1,
                            .tm_mday = days[i],
                            .tm_hour = random_int(24),
                            .tm_min = random_int(60),
                            .tm_sec = random_int(60)};
            char text[96];
            snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02dZ", year, month, days[i],
                     tm.tm_hour, tm.tm_min, tm.tm_sec);
            postern__instant instant;
            bool parsed = postern__instant_parse(span(text), &instant);
            time_t expected = timegm(&tm);
            CHECK_ROW(parsed == (tm.tm_mday == days[i]), text);
            if (parsed) CHECK_ROW(instant.seconds == (int64_t)expected, text);
        }
    }
}

/* Each row is earlier than the next; the two spellings in it are the same. */
static void instants_compare(void) {
    static const char *const rows[][2] = {
        {"0000", "0000-01-01T00:00"},
        {"1969-12-31T23:59:59", "1969-12-31T23:59:59.0"},
        {"1969-12-31T23:59:59.999", "1970-01-01T00:59:59.999+01:00"},
        {"1970", "0"},
        {"1970-01-01T00:00:00.000000001Z", "1970-01-01T00:00:00.0000000019Z"},
        {"1", "1970-01-01T00:00:01Z"},
        {"2024-07-04T12:00:00+02:00", "2024-07-04T10:00:00Z"},
        {"2024-07-04T12:00:00Z", "1720094400"},
        {"9999-12-31T23:59:59.999999999-23:59", "9999-12-31T23:59:59.9999999999-23:59"},
        {"9223372036854775807", "09223372036854775807"},
    };
    enum { ROWS = sizeof rows / sizeof *rows };
    for (int i = 0; i < ROWS; i++) {
        for (int j = 0; j < ROWS; j++) {
            for (int k = 0; k < 4; k++) {
                postern__instant a, b;
                CHECK_ROW(postern__instant_parse(span(rows[i][k / 2]), &a), rows[i][k / 2]);
                CHECK_ROW(postern__instant_parse(span(rows[j][k % 2]), &b), rows[j][k % 2]);
                CHECK_ROW(sign_of(postern__instant_compare(&a, &b)) == sign_of(i - j),
                          rows[i][k / 2]);
            }
        }
    }
}

/* ---- Base64 ------------------------------------------------------------- */

static void base64_is_checked(void) {
    static const struct {
        const char *text;
        bool valid;
    } rows[] = {
        {"", true},       {"QQ==", true},    {"QUI=", true},     {"QUJD", true},
        {"QUJDRA==", true}, {"+/+/", true},
        {"QR==", true}, /* leftover bits set: decodes like QQ== */
        {"Q", false},     {"QQ", false},     {"QUI", false},     {"QQ=", false}, /* no padding */
        {"=", false},     {"==", false},     {"====", false},    {"Q===", false},
        {"QQ==QQ==", false}, {"Q=Q=", false}, {"QUJD====", false}, {"=QUJ", false},
        {"-_-_", false}, /* the URL alphabet */
        {"QUJ D", false}, {" QUJD", false},  {"QUJD\n", false},  {"QU\nJ", false},
        {"QU*=", false},  {"QUJ\x80", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        CHECK_ROW(postern__base64_valid(span(rows[i].text)) == rows[i].valid, rows[i].text);
    CHECK(postern__base64_valid((postern_span){NULL, 0}));
    CHECK(!postern__base64_valid((postern_span){"QUJ\0", 4}));
}

static void base64_is_compared(void) {
    static const struct {
        const char *a, *b;
        bool equal;
    } rows[] = {
        {"", "", true},
        {"QUJD", "QUJD", true},
        {"QUJD", "QUJE", false},
        {"QUJD", "qujd", false},
        {"QQ==", "QR==", true},
        {"QQ==", "Qf==", true},
        {"QQ==", "Qg==", false},
        {"QUI=", "QUL=", true},
        {"QUI=", "QUM=", false},
        {"QUJDQQ==", "QUJDQf==", true},
        {"QUJDQQ==", "QUJEQQ==", false},
        {"QQ==", "QUI=", false},
        {"QUA=", "QUAA", false}, /* one zero byte more */
        {"", "QQ==", false},
        {"Q===", "Q===", false}, /* invalid equals nothing, itself included */
        {"QUJ?", "QUJ?", false},
        {"QUJD", "QUJ?", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CHECK_ROW(postern__base64_equal(span(rows[i].a), span(rows[i].b)) == rows[i].equal,
                  rows[i].a);
        CHECK_ROW(postern__base64_equal(span(rows[i].b), span(rows[i].a)) == rows[i].equal,
                  rows[i].a);
    }
    CHECK(postern__base64_equal((postern_span){NULL, 0}, (postern_span){NULL, 0}));
}

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Encodes; `leftover` goes where no byte looks. */
static void encode(const unsigned char *bytes, int count, unsigned leftover, char *text) {
    for (int i = 0; i < count; i += 3) {
        unsigned group = (unsigned)bytes[i] << 16;
        if (i + 1 < count) group |= (unsigned)bytes[i + 1] << 8;
        if (i + 2 < count) group |= bytes[i + 2];
        if (count - i == 1) group |= (leftover & 15) << 12;
        if (count - i == 2) group |= (leftover & 3) << 6;
        *text++ = alphabet[group >> 18];
        *text++ = alphabet[group >> 12 & 63];
        *text++ = count - i == 1 ? '=' : alphabet[group >> 6 & 63];
        *text++ = count - i <= 2 ? '=' : alphabet[group & 63];
    }
    *text = '\0';
}

static void base64_is_equal_as_bytes(void) {
    int equal = 0;
    random_state = 64;
    for (int i = 0; i < 50000; i++) {
        unsigned char a[8], b[8];
        char a_text[16], b_text[16];
        int a_count = random_int(8);
        int b_count = random_int(3) == 0 ? random_int(8) : a_count;
        for (int k = 0; k < 8; k++) {
            a[k] = (unsigned char)next_random();
            b[k] = random_int(20) == 0 ? (unsigned char)next_random() : a[k];
        }
        encode(a, a_count, (unsigned)random_int(16), a_text);
        encode(b, b_count, (unsigned)random_int(16), b_text);
        bool expected = a_count == b_count && memcmp(a, b, (size_t)a_count) == 0;
        CHECK_ROW(postern__base64_equal(span(a_text), span(b_text)) == expected, a_text);
        equal += expected;
    }
    CHECK(equal > 10000 && equal < 40000);
}

TEST_MAIN(
    RUN(numbers_parse);
    RUN(other_text_is_no_number);
    RUN(numbers_compare);
    RUN(numbers_compare_as_padded_text);
    RUN(numbers_compare_as_integers);
    RUN(numbers_have_a_text);
    RUN(doubles_read_back);
    RUN(locale_does_not_matter);
    RUN(booleans_parse);
    RUN(instants_parse);
    RUN(other_text_is_no_instant);
    RUN(dates_are_as_timegm_says);
    RUN(instants_compare);
    RUN(base64_is_checked);
    RUN(base64_is_compared);
    RUN(base64_is_equal_as_bytes)
)
