--- The one door to C: declarations, loading, ABI check.
--
-- Everything LuaJIT knows about the C libraries is said here and nowhere else. `declarations`
-- repeats the plain part of `core/include/postern.h` without its comments, `http_declarations` that
-- of `http/include/postern_http.h`; a spec compares them. The core is loaded with this module, the
-- HTTP library when it is first asked for: who calls nobody does without it.
-- `system` is what little is used of other C libraries.
--
-- *Dependencies*: none
--
-- @module postern.ffi
local ffi = require("ffi")


local declarations = [[
enum { POSTERN_ABI = 6 };

const char *postern_version(void);
uint32_t postern_abi(void);

typedef enum postern_status {
    POSTERN_OK = 0,
    POSTERN_NO_MEMORY,
    POSTERN_SYNTAX,
    POSTERN_STRUCTURE,
    POSTERN_ATTACH,
    POSTERN_LIMIT,
    POSTERN_VALUE,
    POSTERN_MISUSE
} postern_status;

enum { POSTERN_MESSAGE_SIZE = 320 };

typedef struct postern_error {
    int32_t status;
    uint32_t line;
    uint32_t column;
    char message[POSTERN_MESSAGE_SIZE];
} postern_error;

typedef struct postern_allocator {
    void *(*resize)(void *user, void *block, size_t old_size, size_t new_size);
    void *user;
} postern_allocator;

typedef struct postern_span {
    const char *text;
    size_t length;
} postern_span;

typedef struct postern_glob postern_glob;

typedef enum postern_glob_kind {
    POSTERN_GLOB_TEXT = 0,
    POSTERN_GLOB_RESOURCE
} postern_glob_kind;

postern_glob *postern_glob_new(const postern_span *patterns, size_t count, int kind,
                               const postern_allocator *allocator, postern_error *error);

int32_t postern_glob_match(const postern_glob *glob, const char *text, size_t length);

void postern_glob_free(postern_glob *glob);

typedef struct postern_cidr postern_cidr;

enum {
    POSTERN_NO_MATCH = -1,
    POSTERN_NOT_AN_ADDRESS = -2
};

postern_cidr *postern_cidr_new(const postern_span *ranges, size_t count,
                               const postern_allocator *allocator, postern_error *error);

int32_t postern_cidr_match(const postern_cidr *cidr, const char *address, size_t length);

typedef struct postern_cidr_report {
    const char *simd;
    const char *ipv4;
    const char *ipv6;
    size_t bytes;
} postern_cidr_report;

void postern_cidr_describe(const postern_cidr *cidr, postern_cidr_report *out);

void postern_cidr_free(postern_cidr *cidr);

typedef struct postern_document postern_document;

typedef enum postern_node_kind {
    POSTERN_NULL = 0,
    POSTERN_FALSE,
    POSTERN_TRUE,
    POSTERN_NUMBER,
    POSTERN_STRING,
    POSTERN_ARRAY,
    POSTERN_OBJECT
} postern_node_kind;

typedef struct postern_node {
    int32_t kind;
    uint32_t next;
    uint32_t start;
    uint32_t end;
    uint32_t text;
    uint32_t length;
} postern_node;

postern_document *postern_document_new(const char *json, size_t length,
                                       const postern_allocator *allocator, postern_error *error);

const postern_node *postern_document_nodes(const postern_document *document, uint32_t *count);
const char *postern_document_texts(const postern_document *document);
const char *postern_document_source(const postern_document *document, size_t *length);

void postern_document_place(const postern_document *document, uint32_t offset, uint32_t *line,
                            uint32_t *column);

void postern_document_free(postern_document *document);

typedef enum postern_policy_type {
    POSTERN_IDENTITY = 0,
    POSTERN_BOUNDARY,
    POSTERN_SESSION,
    POSTERN_SCP,
    POSTERN_RCP,
    POSTERN_RESOURCE,
    POSTERN_ENDPOINT,
    POSTERN_TRUST,
    POSTERN_GATEWAY_ENDPOINT
} postern_policy_type;

typedef enum postern_strictness {
    POSTERN_ATTACHABLE = 0,
    POSTERN_STRUCTURAL
} postern_strictness;

typedef struct postern_options {
    const postern_allocator *allocator;
    int32_t policy_type;
    int32_t strictness;

    const char *api_arn;
    size_t api_arn_length;
} postern_options;

typedef struct postern_builder postern_builder;
typedef struct postern_set postern_set;

postern_builder *postern_builder_new(const postern_options *options, postern_error *error);

int postern_builder_add(postern_builder *builder, const char *name, size_t name_length,
                        const char *json, size_t json_length, postern_error *error);

postern_set *postern_builder_build(postern_builder *builder, postern_error *error);

void postern_builder_free(postern_builder *builder);

typedef enum postern_effect { POSTERN_ALLOW = 0, POSTERN_DENY } postern_effect;

typedef struct postern_statement {
    uint32_t policy;
    uint32_t index;
    int32_t effect;
    uint32_t line, column;
    uint32_t principal_line, action_line, resource_line;
    uint32_t condition_count;
    postern_span sid;
} postern_statement;

typedef struct postern_condition {
    postern_span operator_name;
    uint32_t key;
    uint32_t line, column;
    uint32_t value_count;
} postern_condition;

size_t postern_set_size(const postern_set *set);
int32_t postern_set_policy_type(const postern_set *set);
uint32_t postern_set_policy_count(const postern_set *set);
uint32_t postern_set_statement_count(const postern_set *set);
uint32_t postern_set_key_count(const postern_set *set);

int postern_set_policy_name(const postern_set *set, uint32_t policy, postern_span *out);
int postern_set_statement(const postern_set *set, uint32_t statement, postern_statement *out);
int postern_set_condition(const postern_set *set, uint32_t statement, uint32_t condition,
                          postern_condition *out);
int postern_set_condition_value(const postern_set *set, uint32_t statement, uint32_t condition,
                                uint32_t value, postern_span *out);

int postern_set_key(const postern_set *set, uint32_t key, postern_span *out);

int32_t postern_set_find_key(const postern_set *set, const char *name, size_t length);

void postern_set_free(postern_set *set);

typedef struct postern_request postern_request;

enum {
    POSTERN_BOUNDED = 1
};

postern_request *postern_request_new(const postern_set *set, const postern_allocator *allocator,
                                     postern_error *error);
void postern_request_reset(postern_request *request);

int postern_request_bind(postern_request *request, const postern_set *set);

int postern_request_principal(postern_request *request, const char *text, size_t length,
                              int32_t flags);

int postern_request_action(postern_request *request, const char *text, size_t length);
int postern_request_resource(postern_request *request, const char *text, size_t length);

int postern_request_put(postern_request *request, uint32_t key, const char *text, size_t length);

int postern_request_list(postern_request *request, uint32_t key);
int postern_request_append(postern_request *request, uint32_t key, const char *text,
                           size_t length);

int postern_request_unresolved(postern_request *request, uint32_t key);

void postern_request_free(postern_request *request);

typedef enum postern_outcome {
    POSTERN_IMPLICITLY_DENIED = 0,
    POSTERN_EXPLICITLY_DENIED,
    POSTERN_ALLOWED,
    POSTERN_UNDECIDED
} postern_outcome;

typedef enum postern_match {
    POSTERN_MATCH_NONE = 0,
    POSTERN_MATCH_ACCOUNT,
    POSTERN_MATCH_ROLE,
    POSTERN_MATCH_WILD,
    POSTERN_MATCH_DIRECT,
    POSTERN_MATCH_NA
} postern_match;

typedef struct postern_decision {
    int32_t outcome;
    int32_t match;
    int32_t statement;
    int32_t key;
    int32_t status;
} postern_decision;

int32_t postern_evaluate(const postern_set *set, postern_request *request,
                         postern_decision *decision);

enum {
    POSTERN_QUESTION_PIECES = 5,
    POSTERN_QUESTION_VALUES = 32,
    POSTERN_QUESTION_KEYS = 32,
    POSTERN_QUESTION_ASKS = 6
};

typedef struct postern_ask {
    const postern_set *set;
    postern_span principal;
    int32_t flags;

    int8_t values[POSTERN_QUESTION_KEYS];
} postern_ask;

typedef struct postern_question {
    postern_span action;
    postern_span resource[POSTERN_QUESTION_PIECES];
    uint32_t skip;
    uint32_t ask_count;
    postern_span values[POSTERN_QUESTION_VALUES];
    postern_ask asks[POSTERN_QUESTION_ASKS];
    postern_decision decisions[POSTERN_QUESTION_ASKS];
} postern_question;

int32_t postern_question_ask(postern_question *question, postern_request *request);

enum {
    POSTERN_ENTRY_PIECES = 4,
    POSTERN_ENTRY_VALUES = 4
};

typedef struct postern_entry postern_entry;

postern_entry *postern_entry_new(const postern_set *set, const postern_allocator *allocator,
                                 postern_error *error);

int postern_entry_between(postern_entry *entry, uint32_t piece, const char *text, size_t length);

int postern_entry_key(postern_entry *entry, uint32_t value, int32_t key);

int postern_entry_keep(postern_entry *entry, uint32_t key, const char *text, size_t length);

int32_t postern_entry_decide(postern_entry *entry, const char *principal, size_t principal_length,
                             const char *action, size_t action_length, const char *piece0,
                             size_t length0, const char *piece1, size_t length1,
                             const char *piece2, size_t length2, const char *piece3,
                             size_t length3, const char *value0, size_t value0_length,
                             const char *value1, size_t value1_length, const char *value2,
                             size_t value2_length, const char *value3, size_t value3_length);

const postern_decision *postern_entry_decision(const postern_entry *entry);

void postern_entry_free(postern_entry *entry);

int32_t postern_address_plain(const char *text, size_t length);

int32_t postern_path_plain(const char *target, size_t target_length, const char *routed,
                           size_t routed_length);

typedef enum postern_truth { POSTERN_NO = 0, POSTERN_YES, POSTERN_UNKNOWN } postern_truth;

typedef enum postern_element {
    POSTERN_ELEMENT_NONE = 0,
    POSTERN_ELEMENT_ACTION,
    POSTERN_ELEMENT_RESOURCE,
    POSTERN_ELEMENT_PRINCIPAL,
    POSTERN_ELEMENT_CONDITION
} postern_element;

typedef struct postern_verdict {
    int32_t result;
    int32_t match;
    int32_t failed_at;
    uint32_t failed;
    int32_t key;
} postern_verdict;

int postern_explain_statement(const postern_set *set, postern_request *request,
                              uint32_t statement, postern_verdict *out);
int postern_explain_condition(const postern_set *set, postern_request *request,
                              uint32_t statement, uint32_t condition, postern_verdict *out);

int postern_explain_value(const postern_set *set, postern_request *request, uint32_t statement,
                          uint32_t condition, uint32_t value, postern_span *out);

int postern_explain_match(const postern_set *set, postern_request *request, uint32_t statement,
                          int32_t element, uint32_t condition, uint32_t value,
                          postern_verdict *out);

const char *postern_status_name(int32_t status);
const char *postern_policy_type_name(int32_t policy_type);
const char *postern_outcome_name(int32_t outcome);
const char *postern_match_name(int32_t match);
const char *postern_element_name(int32_t element);
]]

-- The system's C library, and libmaxminddb as its header of version 1.7 has it. The names in Lua
-- are our own: others may have declared theirs, and a type can be declared only once.
local system = [[
typedef struct postern_tm {
    int sec, min, hour, mday, mon, year, wday, yday, isdst;
    long gmtoff;
    const char *zone;
} postern_tm;

int postern_setenv(const char *name, const char *value, int overwrite) __asm__("setenv");
void postern_tzset(void) __asm__("tzset");
postern_tm *postern_localtime_r(const int64_t *time, postern_tm *out) __asm__("localtime_r");

int postern_memfd_create(const char *name, unsigned int flags) __asm__("memfd_create");
typedef struct postern_timespec { intptr_t seconds; long nanoseconds; } postern_timespec;
int postern_clock_gettime(int clock, postern_timespec *out) __asm__("clock_gettime");

intptr_t postern_write(int fd, const void *bytes, size_t count) __asm__("write");
int postern_close(int fd) __asm__("close");

typedef struct postern_mmdb {
    uint32_t flags;
    const char *filename;
    intptr_t file_size;
    const uint8_t *file_content;
    const uint8_t *data_section;
    uint32_t data_section_size;
    const uint8_t *metadata_section;
    uint32_t metadata_section_size;
    uint16_t full_record_byte_size;
    uint16_t depth;
    struct { uint16_t netmask; uint32_t node_value; } ipv4_start_node;
    struct {
        uint32_t node_count;
        uint16_t record_size;
        uint16_t ip_version;
        const char *database_type;
        struct { size_t count; const char **names; } languages;
        uint16_t major, minor;
        uint64_t build_epoch;
        struct { size_t count; void **descriptions; } description;
    } metadata;
} postern_mmdb;

typedef struct postern_mmdb_entry {
    const postern_mmdb *mmdb;
    uint32_t offset;
} postern_mmdb_entry;

typedef struct postern_mmdb_found {
    bool found_entry;
    postern_mmdb_entry entry;
    uint16_t netmask;
} postern_mmdb_found;

typedef struct postern_mmdb_data {
    bool has_data;
    union {
        const char *text;
        double number;
        uint16_t uint16;
        uint32_t uint32;
        int32_t int32;
        uint64_t uint64;
        uint8_t uint128[16] __attribute__((aligned(16)));
        bool boolean;
        float single;
    };
    uint32_t offset;
    uint32_t offset_to_next;
    uint32_t data_size;
    uint32_t type;
} postern_mmdb_data;

typedef struct postern_mmdb_item {
    postern_mmdb_data data;
    struct postern_mmdb_item *next;
    void *pool;
} postern_mmdb_item;

int postern_mmdb_open(const char *filename, uint32_t flags, postern_mmdb *mmdb)
    __asm__("MMDB_open");
postern_mmdb_found postern_mmdb_lookup(const postern_mmdb *mmdb, const char *address,
    int *gai_error, int *mmdb_error) __asm__("MMDB_lookup_string");
int postern_mmdb_items(postern_mmdb_entry *start, postern_mmdb_item **list)
    __asm__("MMDB_get_entry_data_list");
void postern_mmdb_items_free(postern_mmdb_item *list) __asm__("MMDB_free_entry_data_list");
void postern_mmdb_close(postern_mmdb *mmdb) __asm__("MMDB_close");
const char *postern_mmdb_error(int code) __asm__("MMDB_strerror");
]]

local http_declarations = [[
enum { POSTERN_HTTP_ABI = 3 };

uint32_t postern_http_abi(void);

typedef struct postern_http postern_http;

typedef enum postern_http_kind {
    POSTERN_HTTP_REQUEST = 0,
    POSTERN_HTTP_RESPONSE
} postern_http_kind;

enum {
    POSTERN_HTTP_MAX_HEAD = 65536,
    POSTERN_HTTP_MAX_HEADERS = 128,
    POSTERN_HTTP_MAX_BODY = 1048576,
    POSTERN_HTTP_KEEP_BYTES = 65536
};

typedef struct postern_http_options {
    const postern_allocator *allocator;
    int32_t kind;
    uint32_t max_head;
    uint32_t max_headers;
    uint64_t max_body;
} postern_http_options;

postern_http *postern_http_new(const postern_http_options *options, postern_error *error);

typedef enum postern_http_state {
    POSTERN_HTTP_MORE = 0,
    POSTERN_HTTP_COMPLETE,
    POSTERN_HTTP_REFUSED
} postern_http_state;

int32_t postern_http_feed(postern_http *reader, const char *bytes, size_t length,
                          size_t *consumed, postern_error *error);

int32_t postern_http_finish(postern_http *reader, postern_error *error);

void postern_http_reset(postern_http *reader, int32_t no_body);

void postern_http_free(postern_http *reader);

typedef struct postern_http_header {
    postern_span name;
    postern_span value;
} postern_http_header;

typedef struct postern_http_message {
    int32_t status;
    int32_t minor;
    int32_t keep_alive;
    uint32_t header_count;
    const postern_http_header *headers;
    postern_span method;
    postern_span target;
    postern_span reason;
    postern_span body;

    postern_span authority;
    postern_span path;
    postern_span query;
} postern_http_message;

const postern_http_message *postern_http_read(const postern_http *reader);

int32_t postern_http_find(const postern_http *reader, const char *name, size_t length,
                          postern_span *value);

int32_t postern_http_find_single(const postern_http *reader, const char *name, size_t length,
                                 size_t most, postern_span *value);

int32_t postern_http_answer(const postern_http *reader);

typedef struct postern_http_writer postern_http_writer;

enum {
    POSTERN_HTTP_CLOSE = 1,
    POSTERN_HTTP_KEEP = 2,
    POSTERN_HTTP_NO_BODY = 4
};

postern_http_writer *postern_http_writer_new(const postern_allocator *allocator,
                                             postern_error *error);

void postern_http_writer_reset(postern_http_writer *writer);
void postern_http_writer_free(postern_http_writer *writer);

void postern_http_writer_time(postern_http_writer *writer, int64_t seconds);

int32_t postern_http_flags(const postern_http *reader);

int32_t postern_http_writer_answer(postern_http_writer *writer, int32_t status,
                                   const char *lines, size_t lines_length,
                                   const char *body, size_t body_length, int32_t flags);

int32_t postern_http_writer_put(postern_http_writer *writer, const char *bytes, size_t length);

void postern_http_writer_bytes(const postern_http_writer *writer, postern_span *out);

typedef struct postern_json postern_json;

enum {
    POSTERN_JSON_DEPTH = 64,
    POSTERN_JSON_KEEP = 65536
};

postern_json *postern_json_new(const postern_allocator *allocator, postern_error *error);
void postern_json_reset(postern_json *writer);
void postern_json_free(postern_json *writer);

int32_t postern_json_object(postern_json *writer);
int32_t postern_json_array(postern_json *writer);
int32_t postern_json_close(postern_json *writer);

int32_t postern_json_key(postern_json *writer, const char *text, size_t length);
int32_t postern_json_string(postern_json *writer, const char *text, size_t length);

int32_t postern_json_number(postern_json *writer, double number);

int32_t postern_json_boolean(postern_json *writer, int32_t truth);
int32_t postern_json_null(postern_json *writer);

int32_t postern_json_raw(postern_json *writer, const char *json, size_t length);

int32_t postern_json_text(const postern_json *writer, postern_span *out, postern_error *error);

typedef struct postern_http_call {
    postern_span api, stage, method, path, raw_path, host, scheme, peer, client_ip, vpce,
        principal;
    postern_span headers;
} postern_http_call;

int32_t postern_http_read_call(const char *json, size_t length, char *room,
                               postern_http_call *call);

int32_t postern_http_read_calls(const char *json, size_t length, char *room,
                                postern_http_call *calls, uint32_t most);

int32_t postern_http_notify(const char *path, size_t path_length, const char *message,
                            size_t length, postern_error *error);

typedef enum postern_http_family {
    POSTERN_HTTP_OTHER = 0,
    POSTERN_HTTP_INET,
    POSTERN_HTTP_INET6,
    POSTERN_HTTP_UNIX
} postern_http_family;

typedef struct postern_http_socket {
    int32_t family;
    int32_t stream;
    int32_t listening;
    int32_t port;
    uint32_t address_length;
    char address[128];
} postern_http_socket;

int32_t postern_http_socket_of(int32_t fd, postern_http_socket *out, postern_error *error);

typedef struct postern_http_credentials {
    int32_t pid;
    uint32_t uid;
    uint32_t gid;
} postern_http_credentials;

int32_t postern_http_peer(int32_t fd, postern_http_credentials *out, postern_error *error);

int32_t postern_http_reuse_port(int32_t fd, postern_error *error);

int32_t postern_http_close_on_exec(int32_t fd, postern_error *error);

enum {
    POSTERN_HTTP_LATER = -1,
    POSTERN_HTTP_BROKEN = -2
};

int32_t postern_http_receive(int32_t fd, char *bytes, uint32_t size);

int32_t postern_http_send(int32_t fd, const char *bytes, size_t length);

int32_t postern_http_watch_new(postern_error *error);

int32_t postern_http_watch_add(int32_t set, int32_t fd, uint32_t number, postern_error *error);
void postern_http_watch_remove(int32_t set, int32_t fd);

int32_t postern_http_watch_ready(int32_t set, uint32_t *numbers, uint32_t most);
void postern_http_watch_close(int32_t set);

double postern_http_seconds(void);

uint32_t postern_http_place(const double *bounds, uint32_t count, double value);
]]

local tls_declarations = [[
enum { POSTERN_TLS_ABI = 1 };

uint32_t postern_tls_abi(void);

typedef struct postern_tls_context postern_tls_context;

typedef enum postern_tls_role {
    POSTERN_TLS_SERVER = 0,
    POSTERN_TLS_CLIENT
} postern_tls_role;

typedef enum postern_tls_demand {
    POSTERN_TLS_NOT_ASKED = 0,
    POSTERN_TLS_OPTIONAL,
    POSTERN_TLS_REQUIRED
} postern_tls_demand;

typedef enum postern_tls_version {
    POSTERN_TLS_1_2 = 0,
    POSTERN_TLS_1_3
} postern_tls_version;

enum {

    POSTERN_TLS_MAX_BUFFERED = 65536
};

typedef struct postern_tls_options {
    const postern_allocator *allocator;
    int32_t role;
    int32_t demand;
    int32_t min_version;
    uint32_t max_buffered;
    const char *certificate;
    const char *key;
    const char *authorities;
    const char *revoked;
} postern_tls_options;

postern_tls_context *postern_tls_context_new(const postern_tls_options *options,
                                             postern_error *error);

void postern_tls_context_free(postern_tls_context *context);

typedef struct postern_tls postern_tls;

postern_tls *postern_tls_new(postern_tls_context *context, const char *name, size_t length,
                             postern_error *error);

typedef enum postern_tls_state {
    POSTERN_TLS_HANDSHAKE = 0,
    POSTERN_TLS_OPEN,
    POSTERN_TLS_CLOSED,
    POSTERN_TLS_FAILED
} postern_tls_state;

int32_t postern_tls_feed(postern_tls *connection, const char *bytes, size_t length,
                         size_t *consumed, postern_error *error);

int32_t postern_tls_state_of(const postern_tls *connection);

void postern_tls_plain(const postern_tls *connection, postern_span *out);
void postern_tls_plain_taken(postern_tls *connection);

int32_t postern_tls_write(postern_tls *connection, const char *text, size_t length,
                          size_t *taken, postern_error *error);

void postern_tls_sealed(const postern_tls *connection, postern_span *out);
void postern_tls_sealed_taken(postern_tls *connection);

void postern_tls_close(postern_tls *connection);

const char *postern_tls_version_of(const postern_tls *connection);

void postern_tls_free(postern_tls *connection);

typedef struct postern_tls_certificate {
    int32_t verified;
    uint32_t san_count;
    const postern_span *sans;
    int64_t not_before;
    int64_t not_after;
    postern_span subject;
    postern_span issuer;
    postern_span serial;
    postern_span fingerprint;
    postern_span pem;
} postern_tls_certificate;

const postern_tls_certificate *postern_tls_peer(postern_tls *connection, postern_error *error);
]]

-- A module can be loaded twice in one Lua state (test runners clear package.loaded), C types can be
-- declared only once.
local function declare(text, last_type)
    if not pcall(ffi.typeof, last_type) then
        ffi.cdef(text)
    end
end


local function exists(path)
    local file = io.open(path, "rb")
    if file then
        file:close()
    end
    return file ~= nil
end


-- A library stands where C modules stand, so it is looked for on package.cpath first; the system's
-- loader comes last and finds a library installed the ordinary way.
local function load_library(name)
    local tried, seen = {}, {}
    for template in package.cpath:gmatch("[^;]+") do
        local path = template:gsub("%?", "lib" .. name)
        if not seen[path] then
            seen[path] = true
            if exists(path) then
                local ok, loaded = pcall(ffi.load, path)
                if ok then
                    return loaded, path
                end
                tried[#tried + 1] = ("%s: %s"):format(path, loaded)
            else
                tried[#tried + 1] = path .. ": no such file"
            end
        end
    end
    local ok, loaded = pcall(ffi.load, name)
    if ok then
        return loaded, "lib" .. name
    end
    tried[#tried + 1] = "system loader: " .. tostring(loaded)
    error(("cannot load lib%s; build it and put its folder on package.cpath. Tried:\n    %s")
        :format(name, table.concat(tried, "\n    ")), 0)
end


local function check_abi(lib, path, name)
    local ok, abi = pcall(function() return lib[name .. "_abi"]() end)
    if not ok then
        error(("%s: not the %s library: it lacks `%s_abi`"):format(path, name, name), 0)
    end
    local expected = lib[name:upper() .. "_ABI"]
    if abi ~= expected then
        error(("%s: its ABI is %d, these Lua modules need ABI %d: install both from one release")
            :format(path, abi, expected), 0)
    end
end


-- A symbol is looked up when it is first used, and code that uses it for the first time does not
-- compile. Looked up here, every call compiles from the start, and an incomplete library is told.
local function resolve_all(lib, path, text)
    for name in text:gmatch("(postern_[%w_]+)%(") do
        if not pcall(function() return lib[name] end) then
            error(("%s: it lacks `%s`: build the library anew"):format(path, name), 0)
        end
    end
end


local function open_library(name, text, last_type)
    declare(text, last_type)
    local lib, path = load_library(name)
    check_abi(lib, path, name)
    resolve_all(lib, path, text)
    return lib, path
end


local lib, path = open_library("postern", declarations, "postern_decision")
declare(system, "postern_mmdb")


local _M = {
    --- The declarations LuaJIT was given, for the spec that compares them with the header.
    declarations = declarations,
    http_declarations = http_declarations,
    tls_declarations = tls_declarations,
    --- The loaded library: functions and enum constants.
    lib = lib,
    --- Where the library was found.
    path = path,
    --- The library's version, and its ABI number.
    version = ffi.string(lib.postern_version()),
    abi = lib.POSTERN_ABI,
}


local http_lib

--- The HTTP library. Raises when it is not there, with every path tried.
-- @return its functions and enum constants
function _M.http()
    if not http_lib then
        http_lib = open_library("postern_http", http_declarations, "postern_http_credentials")
    end
    return http_lib
end


local tls_lib

--- The TLS library. Raises when it is not there, with every path tried.
-- @return its functions and enum constants
function _M.tls()
    if not tls_lib then
        tls_lib = open_library("postern_tls", tls_declarations, "postern_tls_certificate")
    end
    return tls_lib
end


--- Turns a `postern_span` that the core filled into a Lua string.
-- @tparam cdata span
-- @treturn string|nil nil when the span is empty of text
function _M.text(span)
    if span.text == nil then
        return nil
    end
    return ffi.string(span.text, span.length)
end


local function address_of(pointer)
    return tonumber(ffi.cast("uintptr_t", pointer))
end


--- `decide` of an entry by Lua's own C interface, for hosts that do not compile Lua.
-- @tparam cdata handle of the entry; it is kept with the function
-- @treturn function|nil as `decide` of `postern.entry`; nil where the module is not installed
function _M.bridge(handle)
    local found, bind = pcall(require, "postern_bridge")
    if not found then
        return nil
    end
    return bind(address_of(lib.postern_entry_decide), address_of(handle), handle)
end


-- Found by the name that the package without `-dev` installs.
local MAXMINDDB = "libmaxminddb.so.0"

--- Loads libmaxminddb, which only a pack that reads such a database needs.
-- @treturn cdata|nil the library
-- @treturn string why not
function _M.load_maxminddb()
    local ok, loaded = pcall(ffi.load, MAXMINDDB)
    if not ok then
        return nil, ("cannot load %s: install Debian's `libmaxminddb0`: %s")
            :format(MAXMINDDB, loaded)
    end
    return loaded
end


--- Reads the names of an enum from the core.
-- @tparam string kind the middle of `postern_<kind>_name`
-- @treturn table number to name, from 0
function _M.names(kind)
    local name_of = lib["postern_" .. kind .. "_name"]
    local names, number = {}, 0
    local name = name_of(number)
    while name ~= nil do
        names[number] = ffi.string(name)
        number = number + 1
        name = name_of(number)
    end
    return names
end


--- Makes an array of spans over Lua strings. The strings must outlive the array.
-- @tparam {string,...} texts
-- @treturn cdata
function _M.spans(texts)
    local spans = ffi.new("postern_span[?]", #texts)
    for i, text in ipairs(texts) do
        spans[i - 1].text = text
        spans[i - 1].length = #text
    end
    return spans
end


-- Why finalizers are Lua functions and not the C functions themselves: a C function does not keep
-- its library loaded, and the collector may close the library before it frees the last object.
--- Puts the object a constructor returned under the collector's care.
-- @tparam cdata|nil handle
-- @tparam function free
-- @treturn cdata|nil nil when the constructor returned NULL
function _M.own(handle, free)
    if handle == nil then
        return nil
    end
    return ffi.gc(handle, free)
end


--- Why a call of the core failed: `name:line:column: message` as text.
-- @type failure
local Failure = {}
Failure.__index = Failure

function Failure.__tostring(self)
    local place = self.name
    if self.line > 0 then
        place = ("%s:%d:%d"):format(place, self.line, self.column)
    end
    return ("%s: %s"):format(place, self.message)
end

Failure.__concat = function(left, right)
    return tostring(left) .. tostring(right)
end

local status_names = _M.names("status")


--- Makes a failure value of our own or of a `postern_error`.
-- @tparam string name the file or thing that is at fault
-- @tparam table|cdata err with `status` (number or name), `line`, `column`, `message`
-- @treturn failure
function _M.failure(name, err)
    local status, message = err.status, err.message
    if type(message) ~= "string" then
        message = ffi.string(message)
    end
    if type(status) == "number" then
        status = status_names[status]
    end
    return setmetatable({
        name = name,
        line = err.line or 0,
        column = err.column or 0,
        message = message,
        status = status,
    }, Failure)
end


return _M
