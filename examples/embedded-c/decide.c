/* Decides one request in a C program: compile a policy, fill a request,
 * evaluate, explain. */
#include <postern.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT(literal) literal, sizeof literal - 1

static const char POLICY[] =
    "{ \"Version\": \"2012-10-17\", \"Statement\": {\n"
    "  \"Sid\": \"Office\", \"Effect\": \"Allow\", \"Principal\": \"*\",\n"
    "  \"Action\": \"s3:GetObject\", \"Resource\": \"arn:aws:s3:::reports/*\",\n"
    "  \"Condition\": { \"IpAddress\": { \"aws:SourceIp\": \"192.0.2.0/24\" } } } }";

static void fail(const postern_error *error)
{
    fprintf(stderr, "policy:%u:%u: %s\n", (unsigned)error->line, (unsigned)error->column,
            error->message);
    exit(2);
}

int main(int argc, char **argv)
{
    const char *address = argc > 1 ? argv[1] : "";
    postern_options options = { .policy_type = POSTERN_RESOURCE };
    postern_error error;
    postern_builder *builder = postern_builder_new(&options, &error);
    if (!builder || postern_builder_add(builder, TEXT("policy"), TEXT(POLICY), &error) != POSTERN_OK)
        fail(&error);
    postern_set *set = postern_builder_build(builder, &error);
    postern_request *request = set ? postern_request_new(set, NULL, &error) : NULL;
    if (!request)
        fail(&error);

    /* A call that fails breaks the request, and a broken one is denied. */
    postern_request_action(request, TEXT("s3:GetObject"));
    postern_request_resource(request, TEXT("arn:aws:s3:::reports/2026/june.pdf"));
    int32_t key = postern_set_find_key(set, TEXT("aws:SourceIp"));
    postern_request_put(request, (uint32_t)key, address, strlen(address));

    postern_decision decision;
    int32_t outcome = postern_evaluate(set, request, &decision);
    printf("%s\n", postern_outcome_name(outcome));
    for (uint32_t i = 0; i < postern_set_statement_count(set); i++) {
        postern_statement statement = { 0 };
        postern_verdict verdict = { 0 };
        postern_set_statement(set, i, &statement);
        postern_explain_statement(set, request, i, &verdict);
        printf("  policy:%u `%.*s` %s", (unsigned)statement.line, (int)statement.sid.length,
               statement.sid.text, verdict.result == POSTERN_YES ? "matches\n" : "fails: ");
        if (verdict.result != POSTERN_YES) printf("%s\n", postern_element_name(verdict.failed_at));
    }
    postern_request_free(request);
    postern_set_free(set);
    postern_builder_free(builder);
    return outcome == POSTERN_ALLOWED ? 0 : 1;
}
