/* Every condition operator once (IAM User Guide, "IAM JSON policy elements:
 * Condition operators"). A new one is a line here and a test in condition.c.
 *
 *  id                              policy spelling                  negated  test           operand  variables
 *
 * Operands: TEXT compares whole texts, FOLDED without regard to case, PATTERN
 * has wildcards, ARN has them in each of six parts; the others are parsed. */
#ifndef POSTERN_OPERATORS_H
#define POSTERN_OPERATORS_H

/* clang-format off */
#define POSTERN__OPERATORS(XX)                                                                                   \
    XX(STRING_EQUALS,                 "StringEquals",                 false, string_equals,        TEXT,    true)  \
    XX(STRING_NOT_EQUALS,             "StringNotEquals",              true,  string_equals,        TEXT,    true)  \
    XX(STRING_EQUALS_IGNORE_CASE,     "StringEqualsIgnoreCase",       false, string_equals_folded, FOLDED,  true)  \
    XX(STRING_NOT_EQUALS_IGNORE_CASE, "StringNotEqualsIgnoreCase",    true,  string_equals_folded, FOLDED,  true)  \
    XX(STRING_LIKE,                   "StringLike",                   false, string_like,          PATTERN, true)  \
    XX(STRING_NOT_LIKE,               "StringNotLike",                true,  string_like,          PATTERN, true)  \
    XX(NUMERIC_EQUALS,                "NumericEquals",                false, number_equals,        NUMBER,  false) \
    XX(NUMERIC_NOT_EQUALS,            "NumericNotEquals",             true,  number_equals,        NUMBER,  false) \
    XX(NUMERIC_LESS_THAN,             "NumericLessThan",              false, number_less,          NUMBER,  false) \
    XX(NUMERIC_LESS_THAN_EQUALS,      "NumericLessThanEquals",        false, number_less_equals,   NUMBER,  false) \
    XX(NUMERIC_GREATER_THAN,          "NumericGreaterThan",           false, number_greater,       NUMBER,  false) \
    XX(NUMERIC_GREATER_THAN_EQUALS,   "NumericGreaterThanEquals",     false, number_greater_equals, NUMBER, false) \
    XX(DATE_EQUALS,                   "DateEquals",                   false, date_equals,          DATE,    false) \
    XX(DATE_NOT_EQUALS,               "DateNotEquals",                true,  date_equals,          DATE,    false) \
    XX(DATE_LESS_THAN,                "DateLessThan",                 false, date_less,            DATE,    false) \
    XX(DATE_LESS_THAN_EQUALS,         "DateLessThanEquals",           false, date_less_equals,     DATE,    false) \
    XX(DATE_GREATER_THAN,             "DateGreaterThan",              false, date_greater,         DATE,    false) \
    XX(DATE_GREATER_THAN_EQUALS,      "DateGreaterThanEquals",        false, date_greater_equals,  DATE,    false) \
    XX(BOOL,                          "Bool",                         false, bool_equals,          BOOLEAN, false) \
    XX(BINARY_EQUALS,                 "BinaryEquals",                 false, binary_equals,        BYTES,   false) \
    XX(IP_ADDRESS,                    "IpAddress",                    false, ip_address,           CIDR,    false) \
    XX(NOT_IP_ADDRESS,                "NotIpAddress",                 true,  ip_address,           CIDR,    false) \
    XX(ARN_EQUALS,                    "ArnEquals",                    false, arn_like,             ARNS,    true)  \
    XX(ARN_NOT_EQUALS,                "ArnNotEquals",                 true,  arn_like,             ARNS,    true)  \
    XX(ARN_LIKE,                      "ArnLike",                      false, arn_like,             ARNS,    true)  \
    XX(ARN_NOT_LIKE,                  "ArnNotLike",                   true,  arn_like,             ARNS,    true)  \
    XX(NULL,                          "Null",                         false, none,                 PRESENCE, false)
/* clang-format on */

#endif
