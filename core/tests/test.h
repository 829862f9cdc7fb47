/* The smallest test harness that says what failed where. A test file is a list
 * of functions and one main: TEST_MAIN(RUN(one); RUN(two)). */
#ifndef POSTERN_TEST_H
#define POSTERN_TEST_H

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int test_checks;
static int test_failures;

#define CHECK(condition)                                                      \
    do {                                                                      \
        test_checks++;                                                        \
        if (!(condition)) {                                                   \
            test_failures++;                                                  \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);   \
        }                                                                     \
    } while (0)

/* CHECK with the row of a table in the message. */
#define CHECK_ROW(condition, row)                                             \
    do {                                                                      \
        test_checks++;                                                        \
        if (!(condition)) {                                                   \
            test_failures++;                                                  \
            fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #condition, (row)); \
        }                                                                     \
    } while (0)

#define CHECK_TEXT(actual, expected)                                          \
    do {                                                                      \
        const char *test_actual = (actual);                                   \
        const char *test_expected = (expected);                               \
        test_checks++;                                                        \
        if (test_actual == NULL || strcmp(test_actual, test_expected) != 0) { \
            test_failures++;                                                  \
            fprintf(stderr, "%s:%d: `%s`, not `%s`\n", __FILE__, __LINE__,    \
                    test_actual == NULL ? "(null)" : test_actual, test_expected); \
        }                                                                     \
    } while (0)

/* Every test has to check something: one that does not is a failure. */
#define RUN(function)                                                         \
    do {                                                                      \
        int test_before = test_checks;                                        \
        int test_failed = test_failures;                                      \
        function();                                                           \
        if (test_checks == test_before) {                                     \
            test_failures++;                                                  \
            fprintf(stderr, "%s: checked nothing\n", #function);              \
        }                                                                     \
        printf("%s %s\n", test_failures == test_failed ? "ok  " : "FAIL", #function); \
        test_functions++;                                                     \
        if (test_failures != test_failed) test_functions_failed++;            \
    } while (0)

#define TEST_MAIN(...)                                                        \
    int main(void) {                                                          \
        int test_functions = 0;                                               \
        int test_functions_failed = 0;                                        \
        __VA_ARGS__;                                                          \
        printf("%d checks; %d passed, %d failed\n", test_checks,              \
               test_functions - test_functions_failed, test_functions_failed);\
        return test_failures == 0 ? 0 : 1;                                    \
    }

#endif
