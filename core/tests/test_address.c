#include "address.h"

#include <arpa/inet.h>

#include "inputs.h"
#include "test.h"

/* ---- Addresses ---------------------------------------------------------- */

static void addresses_parse(void) {
    static const struct {
        const char *text;
        int family;
        uint64_t high, low;
    } rows[] = {
        {"0.0.0.0", 4, 0, 0},
        {"10.0.3.4", 4, 0x0A00030400000000, 0},
        {"255.255.255.255", 4, 0xFFFFFFFF00000000, 0},
        {"::", 6, 0, 0},
        {"::1", 6, 0, 1},
        {"1::", 6, 0x0001000000000000, 0},
        {"2001:db8::1", 6, 0x20010DB800000000, 1},
        {"2001:DB8::aBcD", 6, 0x20010DB800000000, 0xABCD},
        {"1:2:3:4:5:6:7:8", 6, 0x0001000200030004, 0x0005000600070008},
        {"0001:0002:0003:0004:0005:0006:0007:0008", 6, 0x0001000200030004, 0x0005000600070008},
        {"1::4:5:6:7:8", 6, 0x0001000000000004, 0x0005000600070008},
        /* A gap may stand for a single group, at either end too. */
        {"1:2:3::5:6:7:8", 6, 0x0001000200030000, 0x0005000600070008},
        {"::2:3:4:5:6:7:8", 6, 0x0000000200030004, 0x0005000600070008},
        {"1:2:3:4:5:6:7::", 6, 0x0001000200030004, 0x0005000600070000},
        {"64:ff9b::192.0.2.33", 6, 0x0064FF9B00000000, 0xC0000221},
        {"1:2:3:4:5:6:1.2.3.4", 6, 0x0001000200030004, 0x0005000601020304},
        {"::1.2.3.4", 6, 0, 0x01020304}, /* compatible, not mapped */
        /* Mapped, however it is spelled. */
        {"::ffff:1.2.3.4", 4, 0x0102030400000000, 0},
        {"::FFFF:102:304", 4, 0x0102030400000000, 0},
        {"0:0:0:0:0:ffff:0102:0304", 4, 0x0102030400000000, 0},
        {"0::ffff:0:0", 4, 0, 0},
        {"::fffe:1.2.3.4", 6, 0, 0xFFFE01020304},     /* one bit off */
        {"::1:ffff:1.2.3.4", 6, 0, 0x1FFFF01020304},  /* a bit in front */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        postern__address address;
        bool parsed = postern__address_parse(span(rows[i].text), &address);
        CHECK_ROW(parsed, rows[i].text);
        if (!parsed) continue;
        CHECK_ROW(address.family == rows[i].family, rows[i].text);
        CHECK_ROW(address.high == rows[i].high && address.low == rows[i].low, rows[i].text);
    }
}

static void other_text_is_no_address(void) {
    static const char *const rows[] = {
        "", " ", ".", ":", "...", "1.2.3", "1.2.3.", "1.2.3.4.", "1.2.3.4.5", ".1.2.3.4", "1..2.3",
        "01.2.3.4", "1.2.3.00", "1.2.3.004", /* octal to some, decimal to others */
        "256.0.0.0", "0.0.0.256", "1.2.3.1000", "4294967296.0.0.1", "1.2.3.99999999999999999999",
        "0x1.2.3.4", "1.2.3.a", "1.2.3.-4", "+1.2.3.4", "16909060", "1.2.3.4/32",
        " 1.2.3.4", "1.2.3.4 ", "1.2.3 .4", "1.2.3.4\n",
        ":::", "1:::2", "1::2::3", "::1::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9",
        "1:2:3:4:5:6:7:8:", ":1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:", ":1", "1:",
        "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8", "1:2:3:4::5:6:7:8", /* a gap for nothing */
        "12345::", "::00001", "::g", "::1g", "fe80::1%eth0", "fe80::1%1", "[::1]", "::1/128",
        "::1 ",
        /* A quad that is not the last two of eight groups. */
        "1:2:3:4:5:6:7:1.2.3.4", "::1:2:3:4:5:6:7:1.2.3.4", "1:2:3:4:5:1.2.3.4",
        "::1.2.3.4:5", "1.2.3.4::", "::1.2.3", "::1.2.3.256", "::01.2.3.4", "::1.2.3.4.5",
        "::a.2.3.4", "::ffff:1.2.3.04", "1::2:", "::-1", "::+1", "*", "localhost",
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        postern__address address;
        CHECK_ROW(!postern__address_parse(span(rows[i]), &address), rows[i]);
    }
    postern__address address;
    CHECK(!postern__address_parse((postern_span){NULL, 0}, &address));
    CHECK(!postern__address_parse((postern_span){"1.2.3.4\0", 8}, &address));
    CHECK(!postern__address_parse((postern_span){"1.2.3.4\0.5", 10}, &address));
    /* The length decides, not what stands behind it. */
    CHECK(postern__address_parse((postern_span){"1.2.3.45", 7}, &address));
    CHECK(address.high == 0x0102030400000000);
}

/* What the C library says, in our form. */
static bool parse_with_inet_pton(const char *text, postern__address *out) {
    unsigned char bytes[16] = {0};
    *out = (postern__address){.family = 4};
    if (inet_pton(AF_INET, text, bytes) != 1) {
        if (inet_pton(AF_INET6, text, bytes) != 1) return false;
        out->family = 6;
    }
    for (int i = 0; i < 8; i++) {
        out->high = out->high << 8 | bytes[i];
        out->low = out->low << 8 | bytes[i + 8];
    }
    if (out->family == 6 && out->high == 0 && out->low >> 32 == 0xFFFF)
        *out = (postern__address){.high = out->low << 32, .family = 4};
    return true;
}

/* A text that is an address, before `mutate` has its way. */
static void write_address(char text[64]) {
    unsigned char bytes[16];
    for (int i = 0; i < 16; i++) bytes[i] = random_below(3) == 0 ? (unsigned char)next_random() : 0;
    if (random_below(6) == 0) bytes[10] = bytes[11] = 0xFF;
    if (random_below(2) == 0) {
        inet_ntop(AF_INET, bytes, text, 64);
    } else if (random_below(2) == 0) {
        inet_ntop(AF_INET6, bytes, text, 64);
    } else {
        int used = 0;
        for (int i = 0; i < 6; i++)
            used += snprintf(text + used, 64 - (size_t)used, "%x:", bytes[2 * i]);
        snprintf(text + used, 64 - (size_t)used, "%d.%d.%d.%d", bytes[12], bytes[13], bytes[14],
                 bytes[15]);
    }
}

static void mutate(char text[64]) {
    static const char alphabet[] = "0123456789abcdefABCDEF::::....g/% -+x";
    for (size_t times = random_below(4); times > 0; times--) {
        size_t length = strlen(text);
        size_t place = random_below(length + 1);
        char c = alphabet[random_below(sizeof alphabet - 1)];
        switch (random_below(3)) {
        case 0:
            if (place < length) text[place] = c;
            break;
        case 1:
            if (place < length) memmove(text + place, text + place + 1, length - place);
            break;
        default:
            if (length + 1 >= 63) break;
            memmove(text + place + 1, text + place, length - place + 1);
            text[place] = c;
        }
    }
}

/* No difference to inet_pton is known: it takes no leading zeros, no zone and
 * no short forms either. */
static void parses_as_inet_pton(void) {
    size_t taken = 0;
    random_state = 20240611;
    for (int i = 0; i < 200000; i++) {
        char text[64];
        write_address(text);
        mutate(text);
        postern__address ours, theirs;
        bool expected = parse_with_inet_pton(text, &theirs);
        char exact[64]; /* nothing behind it may be looked at */
        size_t length = strlen(text);
        memset(exact, '7', sizeof exact);
        memcpy(exact, text, length);
        bool parsed = postern__address_parse((postern_span){exact, length}, &ours);
        CHECK_ROW(parsed == expected, text);
        if (!parsed || !expected) continue;
        taken++;
        CHECK_ROW(ours.family == theirs.family && ours.high == theirs.high &&
                      ours.low == theirs.low,
                  text);
    }
    CHECK(taken > 50000 && taken < 150000); /* both answers were tried often */
}

/* ---- Prefixes ----------------------------------------------------------- */

static void prefixes_parse(void) {
    static const struct {
        const char *text;
        int family;
        uint64_t high, low;
        int length;
    } rows[] = {
        {"10.0.0.0/8", 4, 0x0A00000000000000, 0, 8},
        {"10.1.2.3/8", 4, 0x0A00000000000000, 0, 8}, /* host bits are ignored */
        {"10.1.2.3", 4, 0x0A01020300000000, 0, 32},
        {"10.1.2.3/32", 4, 0x0A01020300000000, 0, 32},
        {"10.1.2.3/31", 4, 0x0A01020200000000, 0, 31},
        {"255.255.255.255/1", 4, 0x8000000000000000, 0, 1},
        {"255.255.255.255/0", 4, 0, 0, 0},
        {"::/0", 6, 0, 0, 0},
        {"ffff::/0", 6, 0, 0, 0},
        {"::1", 6, 0, 1, 128},
        {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/63", 6, 0xFFFFFFFFFFFFFFFE, 0, 63},
        {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/64", 6, 0xFFFFFFFFFFFFFFFF, 0, 64},
        {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/65", 6, UINT64_MAX, 0x8000000000000000, 65},
        {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/127", 6, UINT64_MAX, UINT64_MAX - 1, 127},
        {"2001:db8:ffff::/32", 6, 0x20010DB800000000, 0, 32},
        /* Mapped: IPv4 from a length of 96 on. */
        {"::ffff:10.1.2.3", 4, 0x0A01020300000000, 0, 32},
        {"::ffff:10.1.2.3/128", 4, 0x0A01020300000000, 0, 32},
        {"::ffff:10.1.2.3/104", 4, 0x0A00000000000000, 0, 8},
        {"::ffff:a01:203/97", 4, 0, 0, 1},
        {"::ffff:10.1.2.3/96", 4, 0, 0, 0},
        /* Below, it reaches past the mapped range: IPv6. */
        {"::ffff:10.1.2.3/95", 6, 0, 0xFFFE00000000, 95},
        {"::ffff:10.1.2.3/80", 6, 0, 0, 80},
        {"::ffff:10.1.2.3/32", 6, 0, 0, 32},
        /* IPv4-compatible is not mapped. */
        {"::1.2.3.4/96", 6, 0, 0, 96},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        postern__prefix prefix;
        bool parsed = postern__prefix_parse(span(rows[i].text), &prefix);
        CHECK_ROW(parsed, rows[i].text);
        if (!parsed) continue;
        CHECK_ROW(prefix.address.family == rows[i].family, rows[i].text);
        CHECK_ROW(prefix.length == rows[i].length, rows[i].text);
        CHECK_ROW(prefix.address.high == rows[i].high, rows[i].text);
        CHECK_ROW(prefix.address.low == rows[i].low, rows[i].text);
    }
}

static void other_text_is_no_prefix(void) {
    static const char *const rows[] = {
        "", "/", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/128", "10.0.0.0/08", "10.0.0.0/00",
        "10.0.0.0/+8", "10.0.0.0/-8", "10.0.0.0/ 8", "10.0.0.0/8 ", "10.0.0.0 /8", "10.0.0.0//8",
        "10.0.0.0/8/8", "10.0.0.0/8.0", "10.0.0.0/0x8", "10.0.0.0/255.0.0.0", "10.0.0.0/4294967304",
        "10.0.0.0/18446744073709551624", "10/8", "10.0.0/8", "010.0.0.0/8",
        "::/129", "::/1000", "::/", "::/a", ":/8", "::%1/64", "::ffff:1.2.3.4/129", "*", "10.0.0.*",
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        postern__prefix prefix;
        CHECK_ROW(!postern__prefix_parse(span(rows[i]), &prefix), rows[i]);
    }
}

/* What a refusal tells: the family is the one the text is written in, mapped or
 * not. */
static void limits_of_lengths_are_told(void) {
    static const struct {
        const char *text;
        unsigned limit;
    } rows[] = {
        {"10.0.0.0/33", 32}, {"10.0.0.0/", 32}, {"10.0.0.0", 32}, {"10.0.0.0//", 32},
        {"::/129", 128}, {"::/a", 128}, {"::ffff:1.2.3.4/129", 128},
        {"10.0.0/8", 0}, {"/8", 0}, {"", 0}, {"::%1/64", 0}, {" ::/0", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        CHECK_ROW(postern__prefix_limit(span(rows[i].text)) == rows[i].limit, rows[i].text);
    CHECK(postern__prefix_limit((postern_span){NULL, 0}) == 0);
}

/* ---- Masks -------------------------------------------------------------- */

static void masks_hold_the_leading_bits(void) {
    for (unsigned length = 0; length <= 128; length++) {
        uint64_t high = 0, low = 0;
        for (unsigned bit = 0; bit < length; bit++)
            *(bit < 64 ? &high : &low) |= UINT64_C(1) << (63 - bit % 64);
        CHECK(postern__high_mask(length) == high && postern__low_mask(length) == low);
        if (length <= 64) CHECK(postern__leading_bits(length) == high);
    }
}

/* ---- The one spelling ---------------------------------------------------- */

static bool is_plain(const char *text) { return postern_address_plain(text, strlen(text)) == 1; }

static void one_spelling_is_plain(void) {
    static const char *const plain[] = {
        "0.0.0.0", "10.1.2.3", "255.255.255.255", "::", "::1", "1::", "2001:db8::1",
        "2001:db8::1:0:0:1", "2001:0:0:1::1", "2001:db8:0:1:1:1:1:1", "1:2:3:4:5:6:7:8",
        "fe80::abcd", "::ffff", "::fffe:102:304", "::102:304", "64:ff9b::102:304", "1:0:2::",
        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    };
    static const char *const other[] = {
        "", "a", "10.1.2", "10.1.2.03", "10.1.2.3:80", "[::1]", "::1%1", " ::1", "::1/128",
        "::ffff:1.2.3.4", "::ffff:102:304", "::1.2.3.4", "2001:DB8::1", "2001:0db8::1",
        "2001:db8:0:0::1", "2001:db8::0:1", "0:0:0:0:0:0:0:0", "::0", "0::", "1::2:0:0:3:0:0",
        "2001:db8::1:1:1:1:1", "2001::1:0:0:0:1", "unix:",
    };
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        CHECK_ROW(is_plain(plain[i]), plain[i]);
    }
    for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
        CHECK_ROW(!is_plain(other[i]), other[i]);
    }
}

/* Against the C library: what inet_ntop writes is plain, and only that. (glibc
 * writes a dotted quad into some addresses below ::/96, which we do not.) */
static void spells_as_inet_ntop(void) {
    uint64_t seed = 1;
    for (int i = 0; i < 100000; i++) {
        unsigned char bytes[16];
        for (int k = 0; k < 16; k += 2) {
            seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
            unsigned value = (unsigned)(seed >> 40);
            unsigned group = (value & 3) != 0 ? 0 : value >> 4 & ((value & 4) != 0 ? 0xF : 0xFFFF);
            bytes[k] = (unsigned char)(group >> 8);
            bytes[k + 1] = (unsigned char)group;
        }
        char text[INET6_ADDRSTRLEN];
        if (inet_ntop(AF_INET6, bytes, text, sizeof text) == NULL || strchr(text, '.') != NULL) {
            continue;
        }
        CHECK_ROW(is_plain(text), text);
        char full[48];
        int at = 0;
        for (int k = 0; k < 16; k += 2) {
            at += snprintf(full + at, sizeof full - (size_t)at, k > 0 ? ":%x" : "%x",
                           bytes[k] << 8 | bytes[k + 1]);
        }
        CHECK_ROW(is_plain(full) == (strcmp(full, text) == 0), full);
    }
}

TEST_MAIN(
    RUN(addresses_parse);
    RUN(other_text_is_no_address);
    RUN(parses_as_inet_pton);
    RUN(prefixes_parse);
    RUN(other_text_is_no_prefix);
    RUN(limits_of_lengths_are_told);
    RUN(masks_hold_the_leading_bits);
    RUN(one_spelling_is_plain);
    RUN(spells_as_inet_ntop)
)
