#include "template.h"

#include <stdlib.h>

#include "failing_alloc.h"
#include "inputs.h"
#include "test.h"

static bool is(postern_span actual, const char *expected) {
    return postern__span_equal(actual, span(expected));
}

/* ---- Syntax -------------------------------------------------------------- */

static void references_scan(void) {
    static const struct {
        const char *text;
        const char *key;
        const char *fallback; /* NULL: none */
    } rows[] = {
        {"${aws:username}", "aws:username", NULL},
        {"${aws:PrincipalTag/Team}", "aws:PrincipalTag/Team", NULL},
        {"${a}", "a", NULL},
        {"${a:b:c}", "a:b:c", NULL},
        {"${é}", "é", NULL},
        {"${a, 'x'}", "a", "x"},
        {"${a, ''}", "a", ""},
        {"${a, ' '}", "a", " "},
        {"${a, 'x, y'}", "a", "x, y"},
        {"${a, '}'}", "a", "}"}, /* in quotes anything but a quote may stand */
        {"${a, '${b}'}", "a", "${b}"},
        {"${a, '*:\"'}", "a", "*:\""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        postern__reference reference;
        postern_span text = span(rows[i].text);
        CHECK_ROW(postern__reference_scan(text, 0, &reference), rows[i].text);
        CHECK_ROW(reference.length == text.length && reference.escape == 0, rows[i].text);
        CHECK_ROW(is(reference.key, rows[i].key), rows[i].text);
        CHECK_ROW(reference.has_fallback == (rows[i].fallback != NULL), rows[i].text);
        if (rows[i].fallback != NULL)
            CHECK_ROW(is(reference.fallback, rows[i].fallback), rows[i].text);
        /* Cut short anywhere it is text, and nothing behind the cut is read. */
        for (size_t length = 0; length < text.length; length++) {
            char *cut = malloc(length + 1);
            if (cut == NULL) abort();
            memcpy(cut, text.text, length);
            cut = realloc(cut, length > 0 ? length : 1);
            if (cut == NULL) abort();
            CHECK_ROW(!postern__reference_scan((postern_span){cut, length}, 0, &reference),
                      rows[i].text);
            free(cut);
        }
    }
}

static void escapes_scan(void) {
    static const char characters[] = "*?$";
    for (int i = 0; i < 3; i++) {
        postern__reference reference;
        char text[] = {'x', '$', '{', characters[i], '}', '}'};
        CHECK(postern__reference_scan((postern_span){text, sizeof text}, 1, &reference));
        CHECK(reference.escape == characters[i] && reference.length == 4);
        CHECK(!postern__reference_scan((postern_span){text, sizeof text}, 0, &reference));
        CHECK(!postern__reference_scan((postern_span){text, 4}, 1, &reference));
    }
}

static void malformed_references_are_text(void) {
    static const char *const rows[] = {
        "",           "$",          "${",         "${}",        "$a",          "a",
        "{a}",        "$ {a}",      "$${a}",      "${ a}",      "${a }",       "${a b}",
        "${ }",       "${a",        "${a,",       "${a, ",      "${a, '",      "${a, 'x",
        "${a, 'x'",   "${a,'x'}",   "${a,  'x'}", "${a ,'x'}",  "${a , 'x'}",  "${a, \"x\"}",
        "${a, x}",    "${a, 'x}",   "${a, x'}",   "${a, 'x' }", "${a, 'x'y'}", "${a,}",
        "${, 'x'}",   "${a'}",      "${'a'}",     "${${a}}",    "${a${b}}",    "${a{b}}",
        "${a$}",      "${$a}",      "${}}",       "${a,\t'x'}", "${{a}}",
    };
    postern__reference reference;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        CHECK_ROW(!postern__reference_scan(span(rows[i]), 0, &reference), rows[i]);
    CHECK(!postern__reference_scan((postern_span){NULL, 0}, 0, &reference));
    CHECK(!postern__reference_scan((postern_span){"${a\0}", 5}, 0, &reference));
    CHECK(!postern__reference_scan(span("${a}"), 4, &reference));
}

static void variables_are_noticed(void) {
    static const struct {
        const char *text;
        bool has;
    } rows[] = {
        {"", false},           {"plain", false},    {"${a}", true},     {"x${a}y", true},
        {"${*}${?}${$}", false}, {"${$}{a}", false}, {"${*}${a}", true}, {"${a", false},
        {"${${a}}", true},     {"$${a}", true},     {"$", false},       {"${a, 'b'}", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        CHECK_ROW(postern__template_has_variable(span(rows[i].text)) == rows[i].has,
                  rows[i].text);
    CHECK(!postern__template_has_variable((postern_span){NULL, 0}));
}

static void colons_in_references_do_not_split(void) {
    static const struct {
        const char *text;
        bool live;
        const char *part[POSTERN__ARN_PARTS]; /* the first NULL: no ARN */
    } rows[] = {
        {"a:b:c:d:e:f:g", true, {"a", "b", "c", "d", "e", "f:g"}},
        {"a:${aws:x}:c:d:e:f", true, {"a", "${aws:x}", "c", "d", "e", "f"}},
        {"a:${aws:x}:c:d:e:f", false, {"a", "${aws", "x}", "c", "d", "e:f"}},
        {"a:b:c:d:e:${aws:x}", true, {"a", "b", "c", "d", "e", "${aws:x}"}},
        {"a:b:c:d:${x, ':'}:f", true, {"a", "b", "c", "d", "${x, ':'}", "f"}},
        {"a:${b :c}:d:e:f", true, {"a", "${b ", "c}", "d", "e", "f"}}, /* is text */
        {"a:b:c:d:${e:f}", true, {NULL}},
        {"a:b:c:d:${e:f}", false, {"a", "b", "c", "d", "${e", "f}"}},
        {"${*}:b:c:d:e:f", true, {"${*}", "b", "c", "d", "e", "f"}},
        {"", true, {NULL}},
        {":::::", true, {"", "", "", "", "", ""}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        postern__arn arn;
        bool split = postern__template_split(span(rows[i].text), rows[i].live, &arn);
        CHECK_ROW(split == (rows[i].part[0] != NULL), rows[i].text);
        for (int part = 0; split && part < POSTERN__ARN_PARTS; part++)
            CHECK_ROW(is(arn.part[part], rows[i].part[part]), rows[i].text);
    }
}

/* ---- Templates and a row ------------------------------------------------- */

struct bench {
    postern__vector texts, names, variables;
    postern__symbols symbols;
    postern__template_tables tables;
};

static void bench_init(struct bench *bench, const postern_allocator *allocator) {
    postern_allocator own = postern__allocator(allocator);
    postern__vector_init(&bench->texts, 1, &own);
    postern__vector_init(&bench->names, 1, &own);
    postern__vector_init(&bench->variables, sizeof(postern__variable), &own);
    postern__symbols_init(&bench->symbols, &bench->names, &own);
    bench->tables = (postern__template_tables){
        .texts = &bench->texts, .variables = &bench->variables, .symbols = &bench->symbols};
}

static void bench_free(struct bench *bench) {
    postern__symbols_free(&bench->symbols);
    postern__vector_free(&bench->variables);
    postern__vector_free(&bench->names);
    postern__vector_free(&bench->texts);
}

/* What a request says: the name of each key is its whole story. */
enum { LONGEST = 7, KEYS = 8 };

static const struct {
    const char *name;
    postern__cell cell;
} context[KEYS] = {
    {"name", {POSTERN__SINGLE, 0, 1}},  {"wild", {POSTERN__SINGLE, 1, 1}},
    {"empty", {POSTERN__SINGLE, 2, 1}}, {"list", {POSTERN__LIST, 0, 2}},
    {"one", {POSTERN__LIST, 0, 1}},     {"none", {POSTERN__LIST, 0, 0}},
    {"asked", {POSTERN__UNRESOLVED, 0, 0}}, {"asked2", {POSTERN__UNRESOLVED, 0, 0}},
};
static const char context_texts[] = "anna*:?${x}";
static const postern__value context_values[] = {{.text = 0, .length = 4},
                                                {.text = 4, .length = 7},
                                                {.text = 4, .length = 0}};

/* Cells in the order of the bench's symbols; those nobody filled are absent. */
static void fill_cells(const struct bench *bench, postern__cell *cells) {
    for (size_t i = 0; i < bench->symbols.symbols.count; i++) {
        const postern__symbol *symbol = POSTERN__AT(&bench->symbols.symbols, postern__symbol, i);
        postern_span name = {bench->names.items + symbol->name, symbol->length};
        cells[i] = (postern__cell){POSTERN__ABSENT, 0, 0};
        for (int k = 0; k < KEYS; k++) {
            if (is(name, context[k].name)) cells[i] = context[k].cell;
        }
    }
}

/* Expands with just the scratch that is promised to be enough; the caller frees
 * it as out->text, which is NULL unless the answer is EXPANDED. What has no
 * variables is code already, and there is no scratch for it. */
static postern__expansion expand(const struct bench *bench, const postern__template *template,
                                 postern_span *out, int32_t *key) {
    static postern__cell cells[POSTERN__VARIABLES + KEYS];
    *out = (postern_span){NULL, template->glob.length};
    if (template->variables == 0) return POSTERN__EXPANDED;
    size_t room = bench->tables.room + (size_t)bench->tables.most * LONGEST;
    char *scratch = malloc(room > 0 ? room : 1);
    if (scratch == NULL) abort();
    fill_cells(bench, cells);
    postern__row row = {
        .cells = cells, .values = context_values, .texts = context_texts, .scratch = scratch};
    postern__template_pool pool = {
        .texts = bench->texts.items,
        .names = bench->names.items,
        .variables = POSTERN__AT(&bench->variables, postern__variable, 0)};
    postern__expansion result =
        postern__template_expand(template, &pool, &row, &out->length, key);
    if (result == POSTERN__EXPANDED) out->text = scratch;
    else free(scratch);
    return result;
}

/* Code as text: `*` and `?` are wildcards, `<*>` and `<?>` confined ones, and
 * the literal characters have a backslash. */
static const char *show(postern_span code) {
    static char shown[1024];
    size_t n = 0;
    for (size_t i = 0; i < code.length && n + 4 < sizeof shown; i++) {
        unsigned char byte = (unsigned char)code.text[i];
        if (byte == POSTERN__RUN_IN_SEGMENT || byte == POSTERN__ONE_IN_SEGMENT) {
            memcpy(shown + n, byte == POSTERN__RUN_IN_SEGMENT ? "<*>" : "<?>", 3);
            n += 3;
        } else if (byte == POSTERN__RUN || byte == POSTERN__ONE) {
            shown[n++] = byte == POSTERN__RUN ? '*' : '?';
        } else {
            if (byte == '*' || byte == '?') shown[n++] = '\\';
            shown[n++] = (char)byte;
        }
    }
    shown[n] = '\0';
    return shown;
}

static postern_span compiled_code(const struct bench *bench, const postern__template *template) {
    return (postern_span){bench->texts.items + template->glob.code, template->glob.length};
}

/* ---- Compiling ----------------------------------------------------------- */

static void text_without_variables_compiles(void) {
    static const struct {
        const char *text;
        postern__template_mode mode;
        bool live;
        const char *code;
    } rows[] = {
        {"", POSTERN__TEXT, true, ""},
        {"a*b?", POSTERN__TEXT, true, "a\\*b\\?"},
        {"a*b?", POSTERN__PATTERN, true, "a*b?"},
        {"${*}-${?}-${$}", POSTERN__TEXT, true, "\\*-\\?-$"},
        {"${*}-${?}-${$}", POSTERN__PATTERN, true, "\\*-\\?-$"},
        {"${*}${$}{*}", POSTERN__PATTERN, true, "\\*${*}"},
        /* In the 2008 version everything is text, and its wildcards live. */
        {"${*}-${?}-${$}", POSTERN__TEXT, false, "${\\*}-${\\?}-${$}"},
        {"${*}-${?}-${$}", POSTERN__PATTERN, false, "${*}-${?}-${$}"},
        {"${name}", POSTERN__PATTERN, false, "${name}"},
        {"${name, 'x*'}", POSTERN__PATTERN, false, "${name, 'x*'}"},
        {"a:b:c:d:e:${name}", POSTERN__ARN, false, "a:b:c:d:e:${name}"},
        /* Malformed ones are text in either version. */
        {"${name }*", POSTERN__PATTERN, true, "${name }*"},
        {"${name,'*'}", POSTERN__PATTERN, true, "${name,'*'}"},
        {"${}", POSTERN__PATTERN, true, "${}"},
        {"${name", POSTERN__PATTERN, true, "${name"},
        /* The colon rule. */
        {"*", POSTERN__ARN, true, "*"},
        {"a:*:c*:?d:*e:*f?*", POSTERN__ARN, true, "a:*:c*:<?>d:<*>e:*f?*"},
        {"1:2:3:4:5:*x?:*", POSTERN__ARN, true, "1:2:3:4:5:*x?:*"},
        {"1:2:3:4:x*x:*x?", POSTERN__ARN, true, "1:2:3:4:x<*>x:*x?"},
        {"a:b?", POSTERN__PATTERN, true, "a:b?"},
        /* An escape stands anywhere; what it stands for is no colon's neighbour. */
        {"*${*}:a", POSTERN__ARN, true, "<*>\\*:a"},
        {"${*}:*:3:4:5:${?}?", POSTERN__ARN, true, "\\*:*:3:4:5:\\??"},
        /* Variables before the fifth colon, or where there is none, stay text, and
         * their colons do not count, live: in the 2008 version they do. */
        {"arn:${name}:c", POSTERN__ARN, true, "arn:${name}:c"},
        {"arn:aws:s:${aws:x}:a*b:f?", POSTERN__ARN, true, "arn:aws:s:${aws:x}:a<*>b:f?"},
        {"arn:aws:s:${aws:x}:a*b:f?", POSTERN__ARN, false, "arn:aws:s:${aws:x}:a*b:f?"},
        {"a:b:c:d:${name, ':::'}?e:f", POSTERN__ARN, true, "a:b:c:d:${name, ':::'}<?>e:f"},
        {"a:${name, '${*}'}:c:d:e:f", POSTERN__ARN, true, "a:${name, '${<*>}'}:c:d:e:f"},
        {"${name}", POSTERN__ARN, true, "${name}"},
        {"a:b:c:d:${name:x}", POSTERN__ARN, true, "a:b:c:d:${name:x}"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bench bench;
        postern__template template;
        bench_init(&bench, NULL);
        CHECK(postern__vector_push(&bench.texts, "***", 3) != NULL); /* what stands before */
        CHECK(postern__template_compile(&bench.tables, span(rows[i].text), rows[i].mode,
                                        rows[i].live, &template) == POSTERN_OK);
        CHECK_ROW(template.variables == 0, rows[i].text);
        CHECK(template.glob.code == 3 && bench.texts.count == 3 + template.glob.length);
        CHECK_TEXT(show(compiled_code(&bench, &template)), rows[i].code);
        CHECK_ROW(bench.symbols.symbols.count == 0, rows[i].text);
        CHECK_ROW(bench.tables.room == 0 && bench.tables.most == 0, rows[i].text);
        bench_free(&bench);
    }
}

static void variables_expand(void) {
    static const char arn[] = "a:b:c:d:e:";
    static const struct {
        const char *text;
        const char *code; /* NULL: no value */
    } rows[] = {
        {"${name}", "anna"},
        {"${NAME}", "anna"},
        {"x${name}y${name}", "xannayanna"},
        {"${name}*", "anna*"},
        {"$${name}", "$anna"},
        {"${${name}}", "${anna}"},
        {"${*}${name}${?}", "\\*anna\\?"},
        {"${name}:${name}", "anna:anna"},
        /* What replaces it is literal: no wildcard, no variable. */
        {"${wild}", "\\*:\\?${x}"},
        {"*${wild}?", "*\\*:\\?${x}?"},
        /* Absent, empty, multivalued (one value too): no value. */
        {"${absent}", NULL},
        {"${empty}", NULL},
        {"${list}", NULL},
        {"${one}", NULL},
        {"${none}", NULL},
        {"*${name}${absent}", NULL},
        /* The default, if there is one; the empty text is one. */
        {"${absent, 'd'}", "d"},
        {"${empty, 'd'}", "d"},
        {"${list, 'd'}", "d"},
        {"${none, 'd'}", "d"},
        {"${name, 'd'}", "anna"},
        {"x${absent, ''}y", "xy"},
        {"${absent, ''}", ""},
        {"${absent, '*?:${name}'}*", "\\*\\?:${name}*"},
        {"${absent, 'D'}", "D"}, /* its letter case is kept */
        {"${absent, 'a'}${absent, 'b'}", "ab"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (int mode = POSTERN__PATTERN; mode <= POSTERN__ARN; mode++) {
            char text[128], expected[128];
            bool in_arn = mode == POSTERN__ARN;
            snprintf(text, sizeof text, "%s%s", in_arn ? arn : "", rows[i].text);
            snprintf(expected, sizeof expected, "%s%s", in_arn ? arn : "",
                     rows[i].code == NULL ? "" : rows[i].code);
            struct bench bench;
            postern__template template;
            postern_span code;
            int32_t key = -1;
            bench_init(&bench, NULL);
            CHECK(postern__template_compile(&bench.tables, span(text),
                                            (postern__template_mode)mode, true,
                                            &template) == POSTERN_OK);
            CHECK_ROW(template.variables > 0, text);
            postern__expansion result = expand(&bench, &template, &code, &key);
            CHECK_ROW(result == (rows[i].code == NULL ? POSTERN__NO_VALUE : POSTERN__EXPANDED),
                      text);
            if (result == POSTERN__EXPANDED) CHECK_TEXT(show(code), expected);
            free((void *)(uintptr_t)code.text);
            bench_free(&bench);
        }
    }
}

static void unresolved_variables_name_their_key(void) {
    static const struct {
        const char *text;
        const char *key; /* NULL: no value */
    } rows[] = {
        {"${asked}", "asked"},
        {"${name}${asked}x", "asked"},
        {"${asked, 'd'}", "asked"}, /* it may have a value yet */
        {"${asked2}${asked}", "asked2"}, /* the first */
        {"${asked}${absent, 'd'}", "asked"},
        /* Without a value for another variable it does not matter. */
        {"${asked}${absent}", NULL},
        {"${empty}${asked}", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bench bench;
        postern__template template;
        postern_span code;
        int32_t key = -1;
        bench_init(&bench, NULL);
        CHECK(postern__template_compile(&bench.tables, span(rows[i].text), POSTERN__TEXT, true,
                                        &template) == POSTERN_OK);
        postern__expansion result = expand(&bench, &template, &code, &key);
        CHECK_ROW(result == (rows[i].key == NULL ? POSTERN__NO_VALUE : POSTERN__NEEDS_KEY),
                  rows[i].text);
        if (result == POSTERN__NEEDS_KEY) {
            const postern__symbol *symbol =
                POSTERN__AT(&bench.symbols.symbols, postern__symbol, (size_t)key);
            postern_span name = {bench.names.items + symbol->name, symbol->length};
            CHECK_ROW(is(name, rows[i].key), rows[i].text);
        }
        free((void *)(uintptr_t)code.text);
        bench_free(&bench);
    }
}

/* A caller whose name is `*:?${x}` gets what has that name, no more. */
static void substituted_text_matches_itself_alone(void) {
    static const struct {
        const char *text;
        bool matches;
    } rows[] = {
        {"a:b:c:d:e:home/*:?${x}/f", true},  {"a:b:c:d:e:home/*:?${x}/", true},
        {"a:b:c:d:e:home/anna:?${x}/f", false}, {"a:b:c:d:e:home/*:a${x}/f", false},
        {"a:b:c:d:e:home/*/f", false},       {"a:b:c:d:e:home/x/f", false},
    };
    struct bench bench;
    postern__template template;
    postern_span code;
    int32_t key = -1;
    bench_init(&bench, NULL);
    CHECK(postern__template_compile(&bench.tables, span("a:b:c:d:e:home/${wild}/*"), POSTERN__ARN,
                                    true, &template) == POSTERN_OK);
    CHECK(expand(&bench, &template, &code, &key) == POSTERN__EXPANDED);
    postern__glob glob = postern__glob_measure(code.text, 0, code.length);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        CHECK_ROW(postern__glob_match(&glob, code.text, span(rows[i].text)) == rows[i].matches,
                  rows[i].text);
    free((void *)(uintptr_t)code.text);
    bench_free(&bench);
}

/* ---- Against a plain twin ------------------------------------------------ */

/* A reference at the start of NUL-terminated text: its length or 0, and what it
 * expands to: escapes and defaults as they are, values as the context has them. */
static size_t plain_reference(const char *text, bool *variable, char out[64],
                              postern__expansion *result) {
    *variable = false;
    *result = POSTERN__EXPANDED;
    if (strncmp(text, "${*}", 4) == 0 || strncmp(text, "${?}", 4) == 0 ||
        strncmp(text, "${$}", 4) == 0) {
        snprintf(out, 64, "%c", text[2]);
        return 4;
    }
    size_t name = strncmp(text, "${", 2) == 0 ? strcspn(text + 2, " ,'${}") : 0;
    if (name == 0) return 0;
    const char *end = text + 2 + name, *fallback = NULL;
    size_t fallback_length = 0;
    if (strncmp(end, ", '", 3) == 0) {
        fallback = end + 3;
        fallback_length = strcspn(fallback, "'");
        if (fallback[fallback_length] == '\0') return 0;
        end = fallback + fallback_length + 1;
    }
    if (*end != '}') return 0;
    *variable = true;
    *result = fallback == NULL ? POSTERN__NO_VALUE : POSTERN__EXPANDED;
    snprintf(out, 64, "%.*s", (int)fallback_length, fallback == NULL ? "" : fallback);
    for (int k = 0; k < KEYS; k++) {
        if (strlen(context[k].name) != name || strncmp(text + 2, context[k].name, name) != 0)
            continue;
        const postern__value *value = &context_values[context[k].cell.first];
        if (context[k].cell.state == POSTERN__UNRESOLVED) *result = POSTERN__NEEDS_KEY;
        if (context[k].cell.state != POSTERN__SINGLE || value->length == 0) continue;
        snprintf(out, 64, "%.*s", (int)value->length, context_texts + value->text);
        *result = POSTERN__EXPANDED;
    }
    return (size_t)(end + 1 - text);
}

static int plain_colons(const char *text, bool live) {
    char ignored[64];
    bool variable;
    postern__expansion result;
    int colons = 0;
    while (*text != '\0') {
        size_t skip = live ? plain_reference(text, &variable, ignored, &result) : 0;
        if (skip == 0 && *text == ':') colons++;
        text += skip > 0 ? skip : 1;
    }
    return colons;
}

/* The code that `text` should expand to, as show() shows it. */
static postern__expansion plain_expand(const char *text, postern__template_mode mode, bool live,
                                       char *out) {
    bool arn = mode == POSTERN__ARN;
    bool has_six = !arn || plain_colons(text, live) >= 5;
    bool unknown = false, nothing = false;
    int colons = 0;
    const char *until = text; /* a reference that is text reaches to there */
    while (*text != '\0') {
        char piece[64];
        bool variable;
        postern__expansion result;
        size_t skip = live && text >= until ? plain_reference(text, &variable, piece, &result) : 0;
        if (skip > 0 && variable && arn && !(has_six && colons >= 5)) {
            until = text + skip;
            skip = 0;
        }
        if (skip > 0) {
            unknown |= result == POSTERN__NEEDS_KEY;
            nothing |= result == POSTERN__NO_VALUE;
            for (const char *c = piece; *c != '\0'; c++)
                out += sprintf(out, *c == '*' || *c == '?' ? "\\%c" : "%c", *c);
            text += skip;
            continue;
        }
        bool wild = *text == '*' || *text == '?';
        bool free_run = *text == '*' && (text[1] == ':' || text[1] == '\0');
        if (!wild) out += sprintf(out, "%c", *text);
        else if (mode == POSTERN__TEXT) out += sprintf(out, "\\%c", *text);
        else out += sprintf(out, arn && colons < 5 && !free_run ? "<%c>" : "%c", *text);
        if (*text == ':' && text >= until) colons++;
        text++;
    }
    *out = '\0';
    return nothing ? POSTERN__NO_VALUE : unknown ? POSTERN__NEEDS_KEY : POSTERN__EXPANDED;
}

static void write_random(char *out, size_t most_pieces) {
    static const char *const pieces[] = {
        "a",        ":",        "*",           "?",          "$",         "{",
        "}",        ", '",      "'",           "${",         "${*}",      "${$}",
        "${?}",     "${name}",  "${wild}",     "${wild}",    "${absent}", "${absent, 'x:*'}",
        "${empty, ''}", "${asked}", "${list, '?'}", "${wild, 'd'}", "a:b:c:d:e:", ":*:",
        "*:",       "::::",     "${n:ame, 'defaultdefault'}", " ",
        "${absent, '${*}:'}",
    };
    *out = '\0';
    for (size_t n = random_below(most_pieces + 1); n > 0; n--)
        strcat(out, pieces[random_below(sizeof pieces / sizeof *pieces)]);
}

/* Every byte of scratch beyond what was promised is somebody else's. */
static void expands_as_twin(void) {
    size_t answers[3] = {0, 0, 0};
    random_state = 11;
    for (int round = 0; round < 60000; round++) {
        char text[512], expected[1024];
        struct bench bench;
        postern__template template;
        postern_span code = {NULL, 0};
        int32_t key = -1;
        postern__template_mode mode = (postern__template_mode)random_below(3);
        bool live = random_below(4) > 0;
        write_random(text, 14);
        bench_init(&bench, NULL);
        int status = postern__template_compile(&bench.tables, span(text), mode, live, &template);
        postern__expansion result = expand(&bench, &template, &code, &key);
        postern__expansion plain = plain_expand(text, mode, live, expected);
        answers[plain]++;
        CHECK_ROW(status == POSTERN_OK && result == plain, text);
        if (template.variables == 0) code = compiled_code(&bench, &template);
        if (result == POSTERN__EXPANDED) CHECK_TEXT(show(code), expected);
        if (template.variables == 0) code.text = NULL;
        free((void *)(uintptr_t)code.text);
        bench_free(&bench);
    }
    CHECK(answers[POSTERN__EXPANDED] > 5000 && answers[POSTERN__NO_VALUE] > 5000 &&
          answers[POSTERN__NEEDS_KEY] > 5000);
}

/* ---- Limits -------------------------------------------------------------- */

static int compile_many(struct bench *bench, size_t count, postern__template *template) {
    char text[2048] = "";
    for (size_t i = 0; i < count; i++) strcat(text, i % 2 == 0 ? "${wild}" : "${name}");
    return postern__template_compile(&bench->tables, span(text), POSTERN__TEXT, true, template);
}

static void variables_are_limited(void) {
    struct bench bench;
    postern__template template;
    postern_span code;
    int32_t key = -1;
    bench_init(&bench, NULL);
    CHECK(compile_many(&bench, POSTERN__VARIABLES, &template) == POSTERN_OK);
    CHECK(template.variables == POSTERN__VARIABLES && bench.tables.most == POSTERN__VARIABLES);
    CHECK(expand(&bench, &template, &code, &key) == POSTERN__EXPANDED);
    CHECK(code.length == POSTERN__VARIABLES / 2 * (LONGEST + 4));
    free((void *)(uintptr_t)code.text);
    CHECK(compile_many(&bench, POSTERN__VARIABLES + 1, &template) == POSTERN_LIMIT);
    bench_free(&bench);
}

/* Index bytes of a variable may look like anything; 250 is VARIABLE itself. */
static void many_variables_keep_their_index(void) {
    struct bench bench;
    postern__template template;
    postern_span code;
    int32_t key = -1;
    bench_init(&bench, NULL);
    for (int i = 0; i < 300; i++) {
        char text[64], expected[64];
        snprintf(text, sizeof text, "${absent, '%d'}*${name, '%d'}", i, i);
        snprintf(expected, sizeof expected, "%d*anna", i);
        CHECK(postern__template_compile(&bench.tables, span(text), POSTERN__PATTERN, true,
                                        &template) == POSTERN_OK);
        CHECK(expand(&bench, &template, &code, &key) == POSTERN__EXPANDED);
        CHECK_TEXT(show(code), expected);
        free((void *)(uintptr_t)code.text);
    }
    CHECK(bench.symbols.symbols.count == 2);
    bench_free(&bench);
}

/* Parts of an ARN may be expanded one behind the other. */
static void room_is_noted_for_templates_together(void) {
    static const char *const texts[] = {"${wild}", "x",        "${absent, 'default'}",
                                        "",        "${name}*", "y"};
    struct bench bench;
    postern__template templates[6];
    size_t together = 0;
    bench_init(&bench, NULL);
    for (int i = 0; i < 6; i++) {
        postern_span code;
        int32_t key = -1;
        CHECK(postern__template_compile(&bench.tables, span(texts[i]), POSTERN__PATTERN, true,
                                        &templates[i]) == POSTERN_OK);
        CHECK(expand(&bench, &templates[i], &code, &key) == POSTERN__EXPANDED);
        together += code.length + 1;
        free((void *)(uintptr_t)code.text);
    }
    postern__template_note(&bench.tables, templates, 6);
    CHECK(bench.tables.most == 3);
    CHECK(bench.tables.room + bench.tables.most * LONGEST >= together);
    /* What takes less changes nothing. */
    uint32_t room = bench.tables.room;
    postern__template small;
    CHECK(postern__template_compile(&bench.tables, span("${name}"), POSTERN__TEXT, true, &small) ==
          POSTERN_OK);
    CHECK(bench.tables.room == room && bench.tables.most == 3);
    bench_free(&bench);
}

static void compiling_survives_failing_memory(void) {
    static const char text[] = "arn:aws:sqs:us-east-1:111122223333:${name}-*-${absent, 'default'}";
    for (size_t n = 1;; n++) {
        postern__failing_alloc failing;
        struct bench bench;
        postern__template template;
        postern__failing_alloc_init(&failing, n);
        bench_init(&bench, &failing.allocator);
        int status =
            postern__template_compile(&bench.tables, span(text), POSTERN__ARN, true, &template);
        bool failed = failing.allocations >= n;
        CHECK(status == (failed ? POSTERN_NO_MEMORY : POSTERN_OK));
        bench_free(&bench);
        CHECK(failing.live == 0);
        if (!failed) break;
    }
}

TEST_MAIN(
    RUN(references_scan);
    RUN(escapes_scan);
    RUN(malformed_references_are_text);
    RUN(variables_are_noticed);
    RUN(colons_in_references_do_not_split);
    RUN(text_without_variables_compiles);
    RUN(variables_expand);
    RUN(unresolved_variables_name_their_key);
    RUN(substituted_text_matches_itself_alone);
    RUN(expands_as_twin);
    RUN(variables_are_limited);
    RUN(many_variables_keep_their_index);
    RUN(room_is_noted_for_templates_together);
    RUN(compiling_survives_failing_memory)
)
