/* The reader: tables of accepted and refused texts, the public JSON
 * suite and a second reader (jansson) as judges. The suite and the policies of
 * the guides are an optional corpus: POSTERN_SHARED, or shared/ beside the
 * checkout. */
#define _POSIX_C_SOURCE 200809L

#include "reader.h"

#include <dirent.h>
#include <jansson.h>
#include <stdlib.h>

#include "failing_alloc.h"
#include "test.h"
#include "utf8.h"

static const char policy[] =
    "{\r\n"
    "  \"Version\": \"2012-10-17\",\n"
    "  \"Id\": \"caf\\u00e9 \xE2\x82\xAC \\ud83d\\ude00\",\n"
    "  \"Statement\": [\n"
    "    {\n"
    "      \"Sid\": \"OfficeOnly\", \"Effect\": \"Deny\", \"Principal\": {\"AWS\": \"*\"},\n"
    "      \"Action\": [\"execute-api:Invoke\", \"execute-api:ManageConnections\"],\n"
    "      \"Resource\": \"arn:aws:execute-api:eu-west-1:123456789012:a1b2c3/dev/\\\"pets\\\"\",\n"
    "      \"Condition\": {\n"
    "        \"NotIpAddress\": {\"aws:SourceIp\": [\"192.0.2.0/24\", \"2001:db8::/32\"]},\n"
    "        \"Bool\": {\"aws:SecureTransport\": true, \"aws:MultiFactorAuthPresent\": false},\n"
    "        \"NumericLessThan\": {\"s3:max-keys\": -10.50e+2},\n"
    "        \"Null\": {\"aws:TokenIssueTime\": null}\n"
    "      }\n"
    "    }, {}, []\n"
    "  ]\n"
    "}\n";

static postern_span text_of(const char *text) {
    return (postern_span){text, strlen(text)};
}

static postern_document *read_text(postern_span json, postern_error *error) {
    memset(error, 0, sizeof *error);
    return postern_document_new(json.text, json.length, NULL, error);
}

/* ---- The promises of postern.h ------------------------------------------ */

/* Nodes of the subtree at `index`, checked on the way. */
static bool well_formed(const postern_document *document, uint32_t index) {
    uint32_t count;
    const postern_node *nodes = postern_document_nodes(document, &count);
    const postern_node *node = &nodes[index];
    if (index >= count || node->next > count || node->start >= node->end) return false;
    if (node->kind == POSTERN_STRING &&
        !postern__utf8_valid(postern__document_text(document, node)))
        return false;
    if (node->kind != POSTERN_ARRAY && node->kind != POSTERN_OBJECT)
        return node->next == index + 1 && (node->kind == POSTERN_STRING || node->length == 0);
    uint32_t children = 0;
    uint32_t child = index + 1;
    for (; child < node->next; child = nodes[child].next, children++) {
        if (nodes[child].start <= node->start || nodes[child].end >= node->end) return false;
        bool name = node->kind == POSTERN_OBJECT && children % 2 == 0;
        if (name && nodes[child].kind != POSTERN_STRING) return false;
        if (!well_formed(document, child)) return false;
    }
    return child == node->next &&
           children == node->length * (node->kind == POSTERN_OBJECT ? 2 : 1);
}

static void check_accepted(postern_span json, const char *row) {
    postern_error error;
    postern_document *document = read_text(json, &error);
    CHECK_ROW(document != NULL, row);
    if (document == NULL) {
        fprintf(stderr, "    %u:%u: %s\n", error.line, error.column, error.message);
        return;
    }
    size_t length;
    const char *source = postern_document_source(document, &length);
    CHECK_ROW(length == json.length && memcmp(source, json.text, length) == 0, row);
    CHECK_ROW(well_formed(document, 0), row);
    postern_document_free(document);
}

/* ---- Accepted ----------------------------------------------------------- */

static void accepted(void) {
    static const char *const rows[] = {
        "{}", "[]", "\"\"", "0", "-0", "null", "true", "false", " \t\r\n{ } \t\r\n",
        "[1,-1,0.5,10E5,1e-9,1E+400,123456789012345678901234567890]",
        "[[],{},[[]],\"\"]", "{\"\":0}", "{\"a\":1,\"A\":2,\"a \":3}",
        "{\"a\":{\"a\":{\"a\":[]}}}",               /* a name repeats at other levels */
        "[{\"a\":1},{\"a\":1}]",
        "\"\x7F\"",                                 /* DEL is no control character in RFC 8259 */
        "\"\xED\x9F\xBF\xEE\x80\x80\xEF\xBF\xBF\xF4\x8F\xBF\xBF\"", /* the edges of UTF-8 */
        "\"\xEF\xBB\xBF\"",                         /* U+FEFF inside a string is text */
        "\"\\u0000\\uFFFF\\ud800\\udc00\\uDBFF\\uDFFF\"",
        policy,
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        check_accepted(text_of(rows[i]), rows[i]);
}

static void escapes(void) {
    static const struct {
        const char *json, *text;
        uint32_t length;
    } rows[] = {
        {"\"\"", "", 0},
        {"\"plain\"", "plain", 5},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t", 8},
        {"\"\\u0041\\u007f\"", "A\x7F", 2},
        {"\"\\u0000\"", "\0", 1},
        {"\"a\\u0000b\"", "a\0b", 3},
        {"\"\\u0080\\u07FF\"", "\xC2\x80\xDF\xBF", 4},
        {"\"\\u0800\\uffff\"", "\xE0\xA0\x80\xEF\xBF\xBF", 6},
        {"\"\\ud800\\udc00\\uDBFF\\uDFFF\"", "\xF0\x90\x80\x80\xF4\x8F\xBF\xBF", 8},
        {"\"\\ud7ff\\ue000\"", "\xED\x9F\xBF\xEE\x80\x80", 6}, /* around the surrogates */
        {"\"long enough to be copied in runs \\u20AC and on\\n\"",
         "long enough to be copied in runs \xE2\x82\xAC and on\n", 44},
        {"\"\\\\u0041\"", "\\u0041", 6}, /* an escaped backslash, then plain text */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        postern_error error;
        postern_document *document = read_text(text_of(rows[i].json), &error);
        CHECK_ROW(document != NULL, rows[i].json);
        if (document == NULL) continue;
        uint32_t count;
        const postern_node *nodes = postern_document_nodes(document, &count);
        postern_span text = postern__document_text(document, &nodes[0]);
        CHECK_ROW(text.length == rows[i].length, rows[i].json);
        CHECK_ROW(postern__span_equal(text, (postern_span){rows[i].text, rows[i].length}),
                  rows[i].json);
        postern_document_free(document);
    }
}

/* ---- Refused ------------------------------------------------------------ */

static void check_refused(postern_span json, int status, uint32_t line, uint32_t column,
                          const char *message) {
    postern_error error;
    postern_document *document = read_text(json, &error);
    CHECK_ROW(document == NULL, message);
    postern_document_free(document);
    CHECK_TEXT(error.message, message);
    CHECK_ROW(error.status == status, message);
    CHECK_ROW(error.line == line && error.column == column, message);
    if (error.line != line || error.column != column)
        fprintf(stderr, "    %u:%u, not %u:%u\n", error.line, error.column, line, column);
    CHECK_ROW(postern_document_new(json.text, json.length, NULL, NULL) == NULL, message);
}

typedef struct refusal {
    const char *json;
    uint32_t line, column;
    const char *message;
} refusal;

static void check_refusals(const refusal *rows, size_t count) {
    for (size_t i = 0; i < count; i++)
        check_refused(text_of(rows[i].json), POSTERN_SYNTAX, rows[i].line, rows[i].column,
                      rows[i].message);
}

static void refused_structure(void) {
    static const refusal rows[] = {
        {"", 1, 1, "empty document: write a JSON object"},
        {" \n\t", 2, 2, "empty document: write a JSON object"},
        {"{\"a\":1,}", 1, 8, "unexpected `}` after a comma: remove the comma"},
        {"[1,\n]", 2, 1, "unexpected `]` after a comma: remove the comma"},
        {"[1,,2]", 1, 4, "unexpected `,` after a comma: remove one of them"},
        {"[,1]", 1, 2, "unexpected `,` after `[`: write a value"},
        {"{,}", 1, 2, "unexpected `,` after `{`: write a member name in double quotes"},
        {"{\"a\":}", 1, 6, "unexpected `}` after a colon: write a value"},
        {"{\"a\"}", 1, 5, "unexpected `}` after a member name: write a colon and a value"},
        {"{\"a\"=1}", 1, 5, "unexpected `=` after a member name: write a colon and a value"},
        {"{\"a\" \"b\"}", 1, 6, "unexpected `\"` after a member name: write a colon before it"},
        {"{Effect:1}", 1, 2, "unexpected `Effect` after `{`: write a member name in double quotes"},
        {"{\"a\":1,2:3}", 1, 8,
         "unexpected `2` after a comma: write a member name in double quotes"},
        {"{\"a\":1\n \"b\":2}", 2, 2, "unexpected `\"` after a member: write a comma before it"},
        {"[1 {}]", 1, 4, "unexpected `{` after an item: write a comma before it"},
        {"[1;2]", 1, 3, "unexpected `;` after an item: write `,` or `]`"},
        {"{\"a\":1;}", 1, 7, "unexpected `;` after a member: write `,` or `}`"},
        {"[\"a\":1]", 1, 5, "unexpected `:` after an item: write members between `{` and `}`"},
        {"{\"a\": [\n1}", 2, 2, "unexpected `}`: close the `[` at 1:7 with `]`"},
        {"{\"a\":1]", 1, 7, "unexpected `]`: close the `{` at 1:1 with `}`"},
        {"]", 1, 1, "unexpected `]` at the start: write a value"},
        {"{}}", 1, 3, "unexpected `}` after the end of the document: remove it"},
        {"{}\n{}", 2, 1, "unexpected `{` after the end of the document: remove it"},
        {"[", 1, 2, "document ends too early: close the `[` at 1:1"},
        {"{\"a\":\n{\"b\":1", 2, 7, "document ends too early: close the `{` at 2:1"},
        {"{\"a\":1,", 1, 8, "document ends too early: close the `{` at 1:1"},
        {"{\"a\"", 1, 5, "document ends too early: close the `{` at 1:1"},
        {"{\"a\":", 1, 6, "document ends too early: close the `{` at 1:1"},
    };
    check_refusals(rows, sizeof rows / sizeof rows[0]);
}

static void refused_scalars(void) {
    static const refusal rows[] = {
        {"{\"a\": True}", 1, 7, "unexpected `True` after a colon: write `true`"},
        {"[nULL]", 1, 2, "unexpected `nULL` after `[`: write `null`"},
        {"[falsetrue]", 1, 2, "unexpected `falsetrue` after `[`: write text in double quotes"},
        {"[1,Allow]", 1, 4, "unexpected `Allow` after a comma: write text in double quotes"},
        {"NaN", 1, 1, "unexpected `NaN` at the start: write text in double quotes"},
        {"nul", 1, 1, "unexpected `nul` at the start: write text in double quotes"},
        {"{\"Version\": 2012-10-17}", 1, 13,
         "`2012-10-17` is not a number: write text in double quotes"},
        {"[192.0.2.1]", 1, 2, "`192.0.2.1` is not a number: write text in double quotes"},
        {"[0x10]", 1, 2, "`0x10` is not a number: write text in double quotes"},
        {"[-Infinity]", 1, 2, "`-Infinity` is not a number: write text in double quotes"},
        {"[007]", 1, 2, "`007` is not a number: remove the zeros in front"},
        {"[-01.5]", 1, 2, "`-01.5` is not a number: remove the zeros in front"},
        {"[00]", 1, 2, "`00` is not a number: remove the zeros in front"},
        {"[+1]", 1, 2, "`+1` is not a number: remove the `+`"},
        {"[.5]", 1, 2, "`.5` is not a number: write a digit before the point"},
        {"[5.]", 1, 2, "`5.` is not a number: write a digit at the end"},
        {"[1e]", 1, 2, "`1e` is not a number: write a digit at the end"},
        {"[1E+]", 1, 2, "`1E+` is not a number: write a digit at the end"},
        {"-", 1, 1, "`-` is not a number: write a digit at the end"},
        {"[1.e5]", 1, 2, "`1.e5` is not a number: write text in double quotes"},
    };
    check_refusals(rows, sizeof rows / sizeof rows[0]);
}

static void refused_strings(void) {
    static const refusal rows[] = {
        {"[\"a", 1, 2, "string is not closed: add `\"` at its end"},
        {"\"a\\", 1, 1, "string is not closed: add `\"` at its end"},
        {"\"a\\\"", 1, 1, "string is not closed: add `\"` at its end"},
        {"{\"a\": \"b\n}", 1, 9,
         "control character U+000A in a string: write it as \\n, or close the string before it"},
        {"\"\r\"", 1, 2,
         "control character U+000D in a string: write it as \\r, or close the string before it"},
        {"[\"\xC3\xA9\t\"]", 1, 4, "control character U+0009 in a string: write it as \\t"},
        {"\"\x1F\"", 1, 2, "control character U+001F in a string: write it as \\u001F"},
        {"\"\\\n\"", 1, 3,
         "control character U+000A in a string: write it as \\n, or close the string before it"},
        {"\"C:\\dev\"", 1, 4, "unknown escape `\\d`: write a backslash as \\\\"},
        {"\"\\\xC3\xA9\"", 1, 2, "unknown escape `\\\xC3\xA9`: write a backslash as \\\\"},
        {"\"\\U0041\"", 1, 2, "unknown escape `\\U`: write a backslash as \\\\"},
        {"\"ab\\u12g4\"", 1, 4,
         "incomplete escape `\\u`: write four hexadecimal digits after it"},
        {"\"\\u12", 1, 2, "incomplete escape `\\u`: write four hexadecimal digits after it"},
        {"\"\\ud800\"", 1, 2,
         "lone surrogate `\\ud800`: write the character itself, or both halves"},
        {"\"\\uDC00\\uD800\"", 1, 2,
         "lone surrogate `\\uDC00`: write the character itself, or both halves"},
        {"\"\\uD800\\u0041\"", 1, 2,
         "lone surrogate `\\uD800`: write the character itself, or both halves"},
        {"\"\\uD83D\\uD83D\\uDE00\"", 1, 2,
         "lone surrogate `\\uD83D`: write the character itself, or both halves"},
    };
    check_refusals(rows, sizeof rows / sizeof rows[0]);
}

static void refused_bytes(void) {
    static const refusal rows[] = {
        {"\xEF\xBB\xBF{}", 1, 1, "byte order mark: save the file as UTF-8 without one"},
        {"\xEF\xBB\xBF", 1, 1, "byte order mark: save the file as UTF-8 without one"},
        {"\xFF\xFE[", 1, 1, "text is UTF-16: save the file as UTF-8"},
        {"\xFE\xFF[", 1, 1, "text is UTF-16: save the file as UTF-8"},
        {"{}\xEF\xBB\xBF", 1, 3, "byte order mark: remove it"},
        {"[\xC2\xA0" "1]", 1, 2, "no-break space: write a plain one"},
        {"[1\xE2\x80\x8B]", 1, 3, "zero-width space: remove it"},
        {"{\xE2\x80\x9C" "a\xE2\x80\x9D:1}", 1, 2, "curly quote: write `\"`"},
        {"{'a':1}", 1, 2, "single quote: write `\"`"},
        {"{ // why\n}", 1, 3, "comment: remove it, JSON has none"},
        {"[1 /* one */]", 1, 4, "comment: remove it, JSON has none"},
        {"# policy\n{}", 1, 1, "comment: remove it, JSON has none"},
        {"{}\f", 1, 3, "control character U+000C outside a string: remove it"},
        {"[\v1]", 1, 2, "control character U+000B outside a string: remove it"},
        {"[\x7F]", 1, 2, "control character U+007F outside a string: remove it"},
        {"[\xC3\xA9]", 1, 2, "unexpected `\xC3\xA9` after `[`: write a value"},
        {"[\xE9]", 1, 2, "invalid UTF-8: save the file as UTF-8"},
        {"\n\"\xC3\xA9\xE9\"", 2, 3, "invalid UTF-8: save the file as UTF-8"},
        {"\"\xC0\xAF\"", 1, 2, "invalid UTF-8: save the file as UTF-8"},
        {"\"\xED\xA0\x80\"", 1, 2, "invalid UTF-8: save the file as UTF-8"},
        {"\"\xF4\x90\x80\x80\"", 1, 2, "invalid UTF-8: save the file as UTF-8"},
        {"\"\xE2\x82\"", 1, 2, "invalid UTF-8: save the file as UTF-8"},
        {"\"\xE2\x82", 1, 2, "invalid UTF-8: save the file as UTF-8"},
        {"\"0123456789\x80\"", 1, 12, "invalid UTF-8: save the file as UTF-8"},
        {"\"\\\xE9\"", 1, 3, "invalid UTF-8: save the file as UTF-8"},
        {"{\"a\" \xE9}", 1, 6, "invalid UTF-8: save the file as UTF-8"},
    };
    check_refusals(rows, sizeof rows / sizeof rows[0]);
    check_refused((postern_span){"{\0}\0", 4}, POSTERN_SYNTAX, 1, 1,
                  "text is UTF-16: save the file as UTF-8");
    check_refused((postern_span){"\0{\0}", 4}, POSTERN_SYNTAX, 1, 1,
                  "text is UTF-16: save the file as UTF-8");
    check_refused((postern_span){"{}\0", 3}, POSTERN_SYNTAX, 1, 3,
                  "control character U+0000 outside a string: remove it");
    check_refused((postern_span){"\"a\0\"", 4}, POSTERN_SYNTAX, 1, 3,
                  "control character U+0000 in a string: write it as \\u0000");
}

static void every_truncation(void) {
    size_t end = sizeof policy - 1;
    while (policy[end - 1] != '}') end--;
    for (size_t length = 0; length < end; length++) {
        /* A block of exactly this size, so that a sanitizer sees one byte more. */
        char *copy = malloc(length + 1);
        memcpy(copy, policy, length);
        postern_error error;
        postern_document *document = read_text((postern_span){copy, length}, &error);
        CHECK(document == NULL && error.status == POSTERN_SYNTAX);
        CHECK(error.line > 0 && error.column > 0 && error.message[0] != '\0');
        postern_document_free(document);
        free(copy);
    }
    check_accepted((postern_span){policy, end}, "the whole policy");
}

/* ---- Duplicates --------------------------------------------------------- */

/* `{"member0000":0,...}`, with member `b` named as member `a` is. Names differ
 * in their last bytes only; `separator` follows each comma. */
static char *members(uint32_t count, uint32_t a, uint32_t b, const char *separator) {
    size_t size = (size_t)count * 32 + 8;
    char *json = malloc(size);
    size_t at = (size_t)snprintf(json, size, "{");
    for (uint32_t i = 0; i < count; i++)
        at += (size_t)snprintf(json + at, size - at, "%s%s\"member%04u\":0", i > 0 ? "," : "",
                               i > 0 ? separator : "", (unsigned)(i == b ? a : i));
    snprintf(json + at, size - at, "}");
    return json;
}

static void duplicates(void) {
    static const refusal rows[] = {
        {"{\"Effect\":\"Deny\",\n \"Effect\":\"Allow\"}", 2, 2,
         "member `Effect` appears twice: keep one of them"},
        {"{\"Effect\":1,\"\\u0045ffec\\u0074\":1}", 1, 13,
         "member `Effect` appears twice: keep one of them"},
        {"{\"\\u20ac\":1,\"\xE2\x82\xAC\":1}", 1, 13,
         "member `\xE2\x82\xAC` appears twice: keep one of them"},
        {"{\"\":1,\"\":1}", 1, 7, "member `` appears twice: keep one of them"},
        {"{\"a\":1,\"b\":2,\"b\":3,\"a\":4}", 1, 14,
         "member `b` appears twice: keep one of them"},
        {"{\"a\":1,\"a\":2,\"a\":3}", 1, 8, "member `a` appears twice: keep one of them"},
        {"[{\"x\":{\"a\":{},\"a\":[]}}]", 1, 15, "member `a` appears twice: keep one of them"},
        {"{\"a\\n\":1,\"a\\u000A\":2}", 1, 10, "member `a?` appears twice: keep one of them"},
    };
    check_refusals(rows, sizeof rows / sizeof rows[0]);
}

/* Every pair of positions, on both sides of the change from comparing to
 * sorting: the answer is always the later one of the two. */
static void duplicates_of_any_size(void) {
    for (uint32_t count = 14; count <= 19; count++) {
        for (uint32_t b = 1; b < count; b++) {
            for (uint32_t a = 0; a < b; a++) {
                char *json = members(count, a, b, "\n"), message[80];
                snprintf(message, sizeof message,
                         "member `member%04u` appears twice: keep one of them", (unsigned)a);
                check_refused(text_of(json), POSTERN_SYNTAX, b + 1, 1, message);
                free(json);
            }
        }
        char *json = members(count, 0, count, "");
        check_accepted(text_of(json), "no duplicate");
        free(json);
    }
}

static void duplicates_of_many(void) {
    char *json = members(1000, 0, 999, "\n");
    check_refused(text_of(json), POSTERN_SYNTAX, 1000, 1,
                  "member `member0000` appears twice: keep one of them");
    free(json);
    json = members(1000, 0, 1000, "");
    check_accepted(text_of(json), "1,000 members");
    free(json);
    /* Two pairs among many: the repetition that comes first is told. */
    json = members(100, 90, 91, "\n");
    memcpy(strstr(json, "member0040"), "member0003", 10);
    check_refused(text_of(json), POSTERN_SYNTAX, 41, 1,
                  "member `member0003` appears twice: keep one of them");
    free(json);
    /* Quadratic time would take minutes here. */
    uint32_t count = 300000;
    size_t size = (size_t)count * 16;
    json = malloc(size);
    size_t at = (size_t)snprintf(json, size, "{");
    for (uint32_t i = 0; i < count; i++)
        at += (size_t)snprintf(json + at, size - at, "\"%06u\":0,", (unsigned)i);
    snprintf(json + at, size - at, "\"000007\":0}");
    check_refused(text_of(json), POSTERN_SYNTAX, 1, 1 + count * 11 + 1,
                  "member `000007` appears twice: keep one of them");
    free(json);
}

/* ---- Limits ------------------------------------------------------------- */

/* `depth` brackets, with a number inside. */
static char *nested(size_t depth, bool objects) {
    size_t unit = objects ? 5 : 1;
    char *json = malloc(depth * (unit + 1) + 2);
    char *to = json;
    for (size_t i = 0; i < depth; i++, to += unit) memcpy(to, objects ? "{\"a\":" : "[", unit);
    *to++ = '1';
    memset(to, objects ? '}' : ']', depth);
    to[depth] = '\0';
    return json;
}

static void depth(void) {
    static const char message[] = "nested deeper than 64 levels: remove the inner ones";
    for (int objects = 0; objects < 2; objects++) {
        char *json = nested(POSTERN__DOCUMENT_DEPTH, objects);
        check_accepted(text_of(json), "64 levels");
        free(json);
        static const size_t deeper[] = {65, 10000};
        for (int i = 0; i < 2; i++) {
            json = nested(deeper[i], objects);
            check_refused(text_of(json), POSTERN_LIMIT, 1, objects ? 64 * 5 + 1 : 65, message);
            free(json);
        }
    }
    /* Depth counts what is open, not what was. */
    char *json = malloc(3 * 1000 + 2), *to = json;
    *to++ = '[';
    for (int i = 0; i < 1000; i++, to += 3) memcpy(to, "[],", 3);
    memcpy(to - 1, "]", 2);
    check_accepted(text_of(json), "1,000 arrays side by side");
    free(json);
}

static void size(void) {
    size_t most = POSTERN__DOCUMENT_BYTES;
    char *json = malloc(most + 1);
    memset(json, 'a', most + 1);
    json[0] = json[most - 1] = '"';
    check_accepted((postern_span){json, most}, "16 MiB");
    json[most - 1] = 'a';
    json[most] = '"';
    check_refused((postern_span){json, most + 1}, POSTERN_LIMIT, 0, 0,
                  "document of 16777217 bytes: split it, 16777216 is the most");
    free(json);
}

static void nodes(void) {
    size_t most = POSTERN__DOCUMENT_NODES; /* the array itself is one of them */
    char *json = malloc(2 * most + 2);
    for (size_t i = 0; i < most; i++) memcpy(json + 1 + 2 * i, "0,", 2);
    json[0] = '[';
    json[2 * (most - 1)] = ']';
    check_accepted((postern_span){json, 2 * most - 1}, "as many nodes as may be");
    json[2 * (most - 1)] = ',';
    json[2 * most] = ']';
    check_refused((postern_span){json, 2 * most + 1}, POSTERN_LIMIT, 1, (uint32_t)(2 * most),
                  "more than 2097152 values and names: split the document");
    free(json);
}

/* Every allocation fails once: the struct, the source, the nodes and their
 * growth, unescaped texts, the names to sort, the places. */
static void no_memory(void) {
    char *many = members(400, 0, 400, "");
    size_t length = strlen(policy) + strlen(many) + 16;
    char *json = malloc(length);
    snprintf(json, length, "[%s,%s]", policy, many);
    size_t n = 1;
    for (;; n++) {
        postern__failing_alloc failing;
        postern__failing_alloc_init(&failing, n);
        postern_error error = {0};
        postern_document *document =
            postern_document_new(json, strlen(json), &failing.allocator, &error);
        if (failing.allocations < n) {
            CHECK(document != NULL && well_formed(document, 0));
            postern_document_free(document);
            CHECK(failing.live == 0);
            break;
        }
        CHECK(document == NULL && error.status == POSTERN_NO_MEMORY);
        CHECK_TEXT(error.message, "out of memory");
        CHECK(failing.live == 0);
        postern_document_free(document);
    }
    CHECK(n > 6);
    free(json);
    free(many);
}

/* ---- The second reader -------------------------------------------------- */

/* Where jansson and we answer differently on purpose. */
static bool may_differ(bool ours, const postern_error *error, const json_error_t *theirs) {
    if (!ours) /* it goes 2,048 levels deep, and a zero byte ends its documents */
        return error->status == POSTERN_LIMIT ||
               strstr(error->message, "U+0000 outside a string") != NULL;
    switch (json_error_code(theirs)) {
    case json_error_numeric_overflow:  /* it converts numbers, we keep their text */
    case json_error_null_byte_in_key:  /* its names are C strings */
        return true;
    default: return false;
    }
}

static bool same_value(const postern_document *document, uint32_t index, const json_t *value);

static bool same_children(const postern_document *document, const postern_node *all,
                          uint32_t index, const json_t *value) {
    const postern_node *node = &all[index];
    bool object = node->kind == POSTERN_OBJECT;
    if (node->length != (object ? json_object_size(value) : json_array_size(value))) return false;
    size_t i = 0;
    for (uint32_t child = index + 1; child < node->next; child = all[child].next, i++) {
        const json_t *theirs;
        if (object) {
            postern_span name = postern__document_text(document, &all[child]);
            theirs = json_object_getn(value, name.text, name.length);
            child = all[child].next;
        } else {
            theirs = json_array_get(value, i);
        }
        if (theirs == NULL || !same_value(document, child, theirs)) return false;
    }
    return i == node->length;
}

static bool same_value(const postern_document *document, uint32_t index, const json_t *value) {
    uint32_t count;
    const postern_node *all = postern_document_nodes(document, &count);
    const postern_node *node = &all[index];
    postern_span text = postern__document_text(document, node);
    char number[64];
    switch ((postern_node_kind)node->kind) {
    case POSTERN_NULL: return json_is_null(value);
    case POSTERN_FALSE: return json_is_false(value);
    case POSTERN_TRUE: return json_is_true(value);
    case POSTERN_STRING:
        return json_is_string(value) &&
               postern__span_equal(text, (postern_span){json_string_value(value),
                                                        json_string_length(value)});
    case POSTERN_NUMBER:
        text = postern__document_raw(document, node);
        if (text.length >= sizeof number) return json_is_number(value);
        memcpy(number, text.text, text.length);
        number[text.length] = '\0';
        if (json_is_integer(value)) return json_integer_value(value) == strtoll(number, NULL, 10);
        return json_is_real(value) && json_real_value(value) == strtod(number, NULL);
    case POSTERN_ARRAY: return json_is_array(value) && same_children(document, all, index, value);
    case POSTERN_OBJECT: return json_is_object(value) && same_children(document, all, index, value);
    }
    return false;
}

/* True when both readers agree, or differ in a way that is named above. */
static bool agree(postern_span json, bool *accepted_by_us) {
    postern_error error;
    json_error_t their_error;
    postern_document *ours = read_text(json, &error);
    json_t *theirs = json_loadb(json.text, json.length,
                                JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL,
                                &their_error);
    bool same;
    if ((ours != NULL) != (theirs != NULL)) same = may_differ(ours != NULL, &error, &their_error);
    else same = ours == NULL || (well_formed(ours, 0) && same_value(ours, 0, theirs));
    if (!same)
        fprintf(stderr, "%.*s\nwe: %s\njansson: %s\n", (int)json.length, json.text,
                ours != NULL ? "accepted" : error.message,
                theirs != NULL ? "accepted" : their_error.text);
    *accepted_by_us = ours != NULL;
    postern_document_free(ours);
    json_decref(theirs);
    return same;
}

static uint32_t random_state;

static uint32_t random_below(uint32_t bound) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state % bound;
}

/* Bytes that mean something to a reader, and some that do not. */
static char random_byte(void) {
    static const char bytes[] = "{}[]:,\"\\ \n\t\r0123456789+-.eEu/truefalsn\x00\x01\x7F"
                                "\x80\xBF\xC2\xE2\xED\xF4";
    return bytes[random_below(sizeof bytes - 1)];
}

static size_t mutate(char *text, size_t length) {
    size_t at = random_below((uint32_t)length), end = at + 1 + random_below(24);
    if (end > length) end = length;
    switch (random_below(5)) {
    case 0: text[at] = random_byte(); return length;
    case 1: /* insert */
        memmove(text + at + 1, text + at, length - at);
        text[at] = random_byte();
        return length + 1;
    case 2: /* remove a piece */
        memmove(text + at, text + end, length - end);
        return length - (end - at);
    case 3: /* repeat a piece */
        memmove(text + end + (end - at), text + end, length - end);
        memcpy(text + end, text + at, end - at);
        return length + (end - at);
    default: /* put one byte where another is: keeps more texts whole */
        text[at] = text[random_below((uint32_t)length)];
        return length;
    }
}

static void mutations_agree(void) {
    static const char *const seeds[] = {
        policy,
        "{\"a\":1,\"b\":[1.5e3,-0,true,false,null],\"c\":{\"d\":\"\\u0041\\n\",\"\":[{},[]]}}",
        "[\"\\ud83d\\ude00\",\"\xF0\x9F\x98\x80\",\"\xC3\xA9\\u00e9\","
        "\"\\\\\\\"\\/\\b\\f\\r\\t\\u0000\"]",
        "{\"aa\":1,\"ab\":2,\"ac\":3,\"ba\":4,\"bb\":5,\"bc\":6,\"ca\":7,\"cb\":8,\"cc\":9,"
        "\"da\":0,\"db\":1,\"dc\":2,\"ea\":3,\"eb\":4,\"ec\":5,\"fa\":6,\"fb\":7,\"fc\":8,"
        "\"ga\":9,\"gb\":0}",
        "[12345,0.5,-7,1E9,10,200,3e-2]",
    };
    enum { ROUNDS = 20000, SIZE = 4096 };
    char *text = malloc(SIZE);
    random_state = 8259;
    int taken = 0, same = 0;
    for (int i = 0; i < ROUNDS; i++) {
        const char *seed = seeds[random_below(sizeof seeds / sizeof seeds[0])];
        size_t length = strlen(seed);
        memcpy(text, seed, length);
        for (uint32_t n = 1 + random_below(3); n > 0 && length > 0; n--)
            length = mutate(text, length);
        bool accepted_by_us;
        same += agree((postern_span){text, length}, &accepted_by_us);
        taken += accepted_by_us;
    }
    free(text);
    CHECK(same == ROUNDS);
    CHECK(taken > ROUNDS / 10 && taken < ROUNDS * 9 / 10); /* both answers were tried */
}

/* ---- The corpus --------------------------------------------------------- */

static const char *corpus_folder(void) {
    static char path[1024];
    const char *shared = getenv("POSTERN_SHARED");
    if (shared != NULL) {
        snprintf(path, sizeof path, "%s/corpus", shared);
    } else {
        const char *slash = strrchr(__FILE__, '/');
        int folder = slash == NULL ? 0 : (int)(slash - __FILE__ + 1);
        snprintf(path, sizeof path, "%.*s../../../shared/corpus", folder, __FILE__);
    }
    DIR *folder = opendir(path);
    if (folder == NULL) return NULL;
    closedir(folder);
    return path;
}

/* The file's bytes, to be freed; a NULL text when it cannot be read. */
static postern_span load(const char *path) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) return (postern_span){NULL, 0};
    enum { SIZE = 1 << 20 };
    char *text = malloc(SIZE);
    size_t length = fread(text, 1, SIZE, file);
    fclose(file);
    return (postern_span){text, length};
}

/* Calls `visit` for each *.json file of a folder of the corpus. */
static int each_file(const char *folder, void (*visit)(const char *name, postern_span json)) {
    char path[2048];
    snprintf(path, sizeof path, "%s/%s", corpus_folder(), folder);
    DIR *entries = opendir(path);
    if (entries == NULL) return 0;
    int count = 0;
    for (struct dirent *entry; (entry = readdir(entries)) != NULL;) {
        size_t length = strlen(entry->d_name);
        if (length < 5 || strcmp(entry->d_name + length - 5, ".json") != 0) continue;
        char file[4096];
        snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        postern_span json = load(file);
        CHECK_ROW(json.text != NULL, entry->d_name);
        if (json.text != NULL) visit(entry->d_name, json);
        free((char *)json.text);
        count++;
    }
    closedir(entries);
    return count;
}

/* What the suite leaves to the reader, and where we leave the suite. */
static const struct choice {
    const char *name;
    bool accepted;
} choices[] = {
    /* Numbers are kept as text, so none is too large, small or long. */
    {"i_number_double_huge_neg_exp.json", true},
    {"i_number_huge_exp.json", true},
    {"i_number_neg_int_huge_exp.json", true},
    {"i_number_pos_double_huge_exp.json", true},
    {"i_number_real_neg_overflow.json", true},
    {"i_number_real_pos_overflow.json", true},
    {"i_number_real_underflow.json", true},
    {"i_number_too_big_neg_int.json", true},
    {"i_number_too_big_pos_int.json", true},
    {"i_number_very_big_negative_int.json", true},
    /* A lone surrogate has no UTF-8: keeping it would make texts invalid, and
     * replacing it would make different texts equal. */
    {"i_object_key_lone_2nd_surrogate.json", false},
    {"i_string_1st_surrogate_but_2nd_missing.json", false},
    {"i_string_1st_valid_surrogate_2nd_invalid.json", false},
    {"i_string_incomplete_surrogate_and_escape_valid.json", false},
    {"i_string_incomplete_surrogate_pair.json", false},
    {"i_string_incomplete_surrogates_escape_valid.json", false},
    {"i_string_invalid_lonely_surrogate.json", false},
    {"i_string_invalid_surrogate.json", false},
    {"i_string_inverted_surrogates_U+1D11E.json", false},
    {"i_string_lone_second_surrogate.json", false},
    /* Invalid UTF-8 is refused, never repaired, for the same reason. */
    {"i_string_UTF-8_invalid_sequence.json", false},
    {"i_string_UTF8_surrogate_U+D800.json", false},
    {"i_string_invalid_utf-8.json", false},
    {"i_string_iso_latin_1.json", false},
    {"i_string_lone_utf8_continuation_byte.json", false},
    {"i_string_not_in_unicode_range.json", false},
    {"i_string_overlong_sequence_2_bytes.json", false},
    {"i_string_overlong_sequence_6_bytes.json", false},
    {"i_string_overlong_sequence_6_bytes_null.json", false},
    {"i_string_truncated-utf-8.json", false},
    /* RFC 8259, section 8.1: UTF-8, and nobody may add a byte order mark. */
    {"i_string_UTF-16LE_with_BOM.json", false},
    {"i_string_utf16BE_no_BOM.json", false},
    {"i_string_utf16LE_no_BOM.json", false},
    {"i_structure_UTF-8_BOM_empty_object.json", false},
    /* A named limit. */
    {"i_structure_500_nested_arrays.json", false},
    /* Section 4 says names SHOULD be unique. Two readers of one policy could
     * take different values for one name, so here they must be. */
    {"y_object_duplicated_key.json", false},
    {"y_object_duplicated_key_and_value.json", false},
};

static bool chosen[sizeof choices / sizeof choices[0]];

static void visit_suite(const char *name, postern_span json) {
    bool expected = name[0] == 'y', known = name[0] == 'y' || name[0] == 'n';
    for (size_t i = 0; i < sizeof choices / sizeof choices[0]; i++) {
        if (strcmp(choices[i].name, name) != 0) continue;
        expected = choices[i].accepted;
        known = chosen[i] = true;
    }
    CHECK_ROW(known, name);
    bool accepted_by_us;
    CHECK_ROW(agree(json, &accepted_by_us), name);
    CHECK_ROW(accepted_by_us == expected, name);
}

static void visit_policy(const char *name, postern_span json) {
    bool accepted_by_us;
    CHECK_ROW(agree(json, &accepted_by_us), name);
    CHECK_ROW(accepted_by_us, name);
}

static void suite(void) {
    CHECK(each_file("json", visit_suite) > 300);
    for (size_t i = 0; i < sizeof choices / sizeof choices[0]; i++)
        CHECK_ROW(chosen[i], choices[i].name); /* nothing stale in the table */
}

static void corpus_policies(void) {
    static const char *const folders[] = {"apigateway", "iam", "vpc", "seeds"};
    for (int i = 0; i < 4; i++) CHECK_ROW(each_file(folders[i], visit_policy) > 0, folders[i]);
}

TEST_MAIN(
    RUN(accepted);
    RUN(escapes);
    RUN(refused_structure);
    RUN(refused_scalars);
    RUN(refused_strings);
    RUN(refused_bytes);
    RUN(every_truncation);
    RUN(duplicates);
    RUN(duplicates_of_any_size);
    RUN(duplicates_of_many);
    RUN(depth);
    RUN(size);
    RUN(nodes);
    RUN(no_memory);
    RUN(mutations_agree);
    if (corpus_folder() != NULL) {
        RUN(suite);
        RUN(corpus_policies);
    } else {
        printf("skip the corpus: not beside the checkout, nor at POSTERN_SHARED\n");
    })
