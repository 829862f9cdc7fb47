#include "writer.h"

#include <string.h>

#include "error.h"

struct postern_http_writer {
    postern_allocator allocator;
    postern__vector bytes;
    int64_t seconds;
    size_t date_length; /* 0: no time was told */
    char date[sizeof "Date: \r\n" - 1 + POSTERN__DATE_SIZE];
};

postern_http_writer *postern_http_writer_new(const postern_allocator *allocator,
                                             postern_error *error) {
    postern_allocator own = postern__allocator(allocator);
    postern_http_writer *writer = postern__alloc(&own, sizeof *writer);
    if (writer == NULL) {
        postern__no_memory(error);
        return NULL;
    }
    memset(writer, 0, sizeof *writer);
    writer->allocator = own;
    postern__vector_init(&writer->bytes, 1, &own);
    return writer;
}

void postern_http_writer_free(postern_http_writer *writer) {
    if (writer == NULL) return;
    postern_allocator allocator = writer->allocator;
    postern__vector_free(&writer->bytes);
    postern__free(&allocator, writer, sizeof *writer);
}

void postern_http_writer_reset(postern_http_writer *writer) {
    if (writer->bytes.capacity > POSTERN_HTTP_KEEP_BYTES) postern__vector_free(&writer->bytes);
    writer->bytes.count = 0;
}

/* ---- The date ------------------------------------------------------------ */

static void write_digits(char *to, int64_t number, int count) {
    for (int i = count - 1; i >= 0; i--) {
        to[i] = (char)('0' + number % 10);
        number /= 10;
    }
}

/* Years begin in March here, so that a leap day is the last of its year; 400
 * of them have 146097 days. */
void postern__writer_date(char *to, int64_t seconds) {
    static const char weekdays[] = "ThuFriSatSunMonTueWed"; /* 1970 began on a Thursday */
    static const char months[] = "MarAprMayJunJulAugSepOctNovDecJanFeb";
    int64_t days = seconds / 86400, second = seconds % 86400;
    if (second < 0) {
        second += 86400;
        days--;
    }
    int64_t weekday = (days % 7 + 7) % 7;
    int64_t since = days + 719468; /* since 0000-03-01 */
    int64_t era = (since >= 0 ? since : since - 146096) / 146097, day = since - era * 146097;
    int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    day -= year * 365 + year / 4 - year / 100;
    int64_t month = (5 * day + 2) / 153; /* 153 days in five months */
    day -= (153 * month + 2) / 5;
    year += era * 400 + (month >= 10);
    memcpy(to, "Www, dd Mmm yyyy hh:mm:ss GMT", POSTERN__DATE_SIZE);
    memcpy(to, weekdays + 3 * weekday, 3);
    write_digits(to + 5, day + 1, 2);
    memcpy(to + 8, months + 3 * month, 3);
    write_digits(to + 12, year, 4);
    write_digits(to + 17, second / 3600, 2);
    write_digits(to + 20, second / 60 % 60, 2);
    write_digits(to + 23, second % 60, 2);
}

void postern_http_writer_time(postern_http_writer *writer, int64_t seconds) {
    if (writer->date_length > 0 && seconds == writer->seconds) return;
    writer->seconds = seconds;
    writer->date_length = sizeof writer->date;
    memcpy(writer->date, "Date: ", 6);
    postern__writer_date(writer->date + 6, seconds);
    memcpy(writer->date + 6 + POSTERN__DATE_SIZE, "\r\n", 2);
}

/* ---- Answers ------------------------------------------------------------- */

static const char *phrase_of(int32_t status) {
    switch (status) {
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 411: return "Length Required";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 417: return "Expectation Failed";
    case 421: return "Misdirected Request";
    case 422: return "Unprocessable Content";
    case 428: return "Precondition Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    default: return ""; /* it may be left out (RFC 9112, section 4) */
    }
}

/* Room was made for everything. */
static void put(postern_http_writer *writer, const char *text, size_t length) {
    if (length == 0) return;
    memcpy(writer->bytes.items + writer->bytes.count, text, length);
    writer->bytes.count += length;
}

static void put_text(postern_http_writer *writer, const char *text) {
    put(writer, text, strlen(text));
}

static void put_number(postern_http_writer *writer, uint64_t number) {
    char digits[20], *first = digits + sizeof digits;
    do {
        *--first = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    put(writer, first, (size_t)(digits + sizeof digits - first));
}

/* More than a status line, Date, Content-Length and Connection have. */
enum { OWN_LINES_SIZE = 256 };

static bool are_lines(postern_span lines) {
    return lines.length == 0 ||
        (lines.length > 2 && memcmp(lines.text + lines.length - 2, "\r\n", 2) == 0);
}

/* RFC 9110, section 8.6: neither length nor body. */
static bool has_no_length(int32_t status) {
    return status == 204 || status == 304;
}

static void put_head(postern_http_writer *writer, int32_t status, postern_span lines,
                     size_t body_length, int32_t flags) {
    put_text(writer, "HTTP/1.1 ");
    put_number(writer, (uint64_t)status);
    put_text(writer, " ");
    put_text(writer, phrase_of(status));
    put_text(writer, "\r\n");
    put(writer, writer->date, writer->date_length);
    put(writer, lines.text, lines.length);
    if (!has_no_length(status)) {
        put_text(writer, "Content-Length: ");
        put_number(writer, body_length);
        put_text(writer, "\r\n");
    }
    if (flags & POSTERN_HTTP_CLOSE) {
        put_text(writer, "Connection: close\r\n");
    } else if (flags & POSTERN_HTTP_KEEP) {
        put_text(writer, "Connection: keep-alive\r\n");
    }
    put_text(writer, "\r\n");
}

int32_t postern_http_writer_answer(postern_http_writer *writer, int32_t status,
                                   const char *lines, size_t lines_length, const char *body,
                                   size_t body_length, int32_t flags) {
    bool takes_body = !has_no_length(status) || body_length == 0;
    if (status < 200 || status > 599 || !takes_body ||
        !are_lines((postern_span){lines, lines_length}))
        return POSTERN_MISUSE;
    if (lines_length > SIZE_MAX / 4 || body_length > SIZE_MAX / 4 ||
        !postern__vector_reserve(&writer->bytes, OWN_LINES_SIZE + lines_length + body_length))
        return POSTERN_NO_MEMORY;
    put_head(writer, status, (postern_span){lines, lines_length}, body_length, flags);
    if (!(flags & POSTERN_HTTP_NO_BODY)) put(writer, body, body_length);
    return POSTERN_OK;
}

int32_t postern_http_writer_put(postern_http_writer *writer, const char *bytes, size_t length) {
    bool put_in = postern__vector_push(&writer->bytes, bytes, length) != NULL;
    return put_in ? POSTERN_OK : POSTERN_NO_MEMORY;
}

void postern_http_writer_bytes(const postern_http_writer *writer, postern_span *out) {
    *out = (postern_span){writer->bytes.items, writer->bytes.count};
}
