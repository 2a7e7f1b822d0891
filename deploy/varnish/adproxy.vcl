# Varnish in front of adproxy: readers -> Varnish -> adproxy -> origin. For Varnish 7 (Debian 12 has 7.1).
#   varnishd -f /etc/varnish/adproxy.vcl -a :6081 -s malloc,1G
#
# Pages are stored with their slots, so a hit costs adproxy nothing and is served while adproxy is down. Stored pages do
# not know that the rules have changed; after a change either wait for their lifetime, or drop them, from an address in
# the list below:
#   curl -X BAN -H 'Host: www.news.example' http://127.0.0.1:6081/            all pages of a host
#   curl -X PURGE -H 'Host: www.news.example' http://127.0.0.1:6081/a/story   one address
#   curl -X BAN -H 'X-Tag: adproxy-site-my-news' http://127.0.0.1:6081/       by tag, with ADPROXY_CACHE_TAGS=Surrogate-Key
#
# What is left out here is Varnish's built-in VCL: requests with cookies and answers that set cookies are not stored. If
# your pages do not read the cookies that readers send, remove those cookies in vcl_recv, or there are no hits.
vcl 4.1;

import std;

backend adproxy {
    .host = "127.0.0.1";
    .port = "8080";
    .connect_timeout = 1s;
    # Longer than ADPROXY_HEAD_SECONDS + ADPROXY_BUFFER_SECONDS + ADPROXY_REWRITE_SECONDS: with 10 + 5 + 2 it is.
    # adproxy's default for the first is 60. Set it to 10 there, or this to 70s.
    .first_byte_timeout = 20s;
    .between_bytes_timeout = 130s;      # longer than ADPROXY_IDLE_SECONDS, which ends what stands still
    .probe = {
        .url = "/_adproxy/healthz";     # answered by adproxy itself: a dead origin is not a dead adproxy
        .interval = 1s;
        .timeout = 1s;
        .window = 3;
        .threshold = 2;                 # two failures in three seconds: down
        .initial = 2;
    }
}

# Asked where adproxy fails: pages without slots are better than no pages.
backend origin {
    .host = "127.0.0.1";
    .port = "8000";
    .connect_timeout = 1s;
    .first_byte_timeout = 20s;
    .between_bytes_timeout = 130s;
}

# Who may drop stored pages.
acl trusted {
    "127.0.0.1";
    "::1";
}

sub vcl_recv {
    # Varnish has added the address that it sees to X-Forwarded-For. A comma means that somebody stands in between, and
    # then a reader's request comes from a trusted address too.
    if (req.method == "BAN" || req.method == "PURGE") {
        if (client.ip !~ trusted || req.http.X-Forwarded-For ~ ",") {
            return (synth(403, "Not from here"));
        }
        if (req.method == "PURGE") {
            if (!std.ban("obj.http.X-Stored-Host == " + req.http.Host + " && obj.http.X-Stored-Url == " + req.url)) {
                return (synth(400, std.ban_error()));
            }
        } elsif (req.http.X-Tag) {
            if (req.http.X-Tag !~ "^[A-Za-z0-9._-]+$") {
                return (synth(400, "Not a tag"));
            }
            if (!std.ban("obj.http.Surrogate-Key ~ (^|[[:space:]])" + regsuball(req.http.X-Tag, "[.]", "[.]") + "([[:space:]]|$)")) {
                return (synth(400, std.ban_error()));
            }
        } elsif (!std.ban("obj.http.X-Stored-Host == " + req.http.Host + " && obj.http.Content-Type ~ ^text/html")) {
            return (synth(400, std.ban_error()));
        }
        return (synth(200, "Dropped"));
    }

    if (std.healthy(adproxy)) {
        set req.backend_hint = adproxy;
        # While adproxy answers, a page that has just gone stale is served once more and asked for again behind it.
        set req.grace = 10s;
    } else {
        # Stale pages with slots as long as their grace lasts (vcl_backend_response), then the origin's.
        set req.backend_hint = origin;
    }

    if (req.http.Upgrade ~ "(?i)^websocket$") {
        return (pipe);
    }
    unset req.http.Upgrade;             # anything else (h2c) could smuggle requests past adproxy
    if (req.http.Accept ~ "(?i)text/event-stream") {
        return (pass);
    }

    # Pieces of pages that scripts fetch pass adproxy without slots; they must not be mixed up with the pages.
    unset req.http.X-Asked-For;
    if (req.http.HX-Request || req.http.Turbo-Frame || req.http.X-PJAX || req.http.X-Requested-With ~ "XMLHttpRequest"
        || (req.http.Sec-Fetch-Dest && req.http.Sec-Fetch-Dest != "document")
        || req.http.Sec-Purpose ~ "prefetch" || req.http.Purpose ~ "prefetch"
        || (req.http.Accept && req.http.Accept !~ "text/html|text/\*|\*/\*")) {
        set req.http.X-Asked-For = "a piece";
    }
}

sub vcl_hash {
    if (req.http.X-Asked-For) {
        hash_data(req.http.X-Asked-For);
    }
}

sub vcl_backend_fetch {
    unset bereq.http.X-Asked-For;
    # A stale page with slots is not replaced behind the scenes by one without.
    if (bereq.is_bgfetch && bereq.backend == origin) {
        return (abandon);
    }
}

sub vcl_backend_response {
    # adproxy's own 5xx says so; the origin's pass as they are. POST is never repeated: it may have been carried out.
    if (bereq.backend == adproxy && beresp.status >= 500 && beresp.status <= 504
        && beresp.http.Proxy-Status ~ "^adproxy" && bereq.retries == 0
        && (bereq.method == "GET" || bereq.method == "HEAD")) {
        set bereq.backend = origin;
        return (retry);
    }

    # Kept for the bans above; vcl_deliver takes them off again.
    set beresp.http.X-Stored-Host = bereq.http.Host;
    set beresp.http.X-Stored-Url = bereq.url;

    # How long a page whose lifetime is over may be served while adproxy is down. News are old after minutes, and the
    # origin has them new, if without slots.
    set beresp.grace = 10m;
    # How long it is kept beyond that, to be confirmed by its tag (If-None-Match) instead of sent again.
    set beresp.keep = 1h;
    if (beresp.http.Cache-Control ~ "(?i)must-revalidate|proxy-revalidate") {
        set beresp.grace = 0s;          # the origin forbids stale pages
    }
    # A page of the origin's own has no slots: away with it as soon as adproxy is back.
    if (bereq.backend == origin && beresp.http.Content-Type ~ "^text/html") {
        set beresp.grace = 0s;
        set beresp.keep = 0s;
        if (beresp.ttl > 10s) {
            set beresp.ttl = 10s;
        }
    }
}

sub vcl_backend_error {
    # No answer at all.
    if (bereq.backend == adproxy && bereq.retries == 0 && !bereq.is_bgfetch
        && (bereq.method == "GET" || bereq.method == "HEAD")) {
        set bereq.backend = origin;
        return (retry);
    }
}

sub vcl_pipe {
    if (req.http.Upgrade) {
        set bereq.http.Upgrade = req.http.Upgrade;
        set bereq.http.Connection = "upgrade";
    }
}

sub vcl_deliver {
    unset resp.http.X-Stored-Host;
    unset resp.http.X-Stored-Url;
    unset resp.http.Surrogate-Key;      # not for readers; leave it where another cache stands in front of this one
    # For a look with curl -I: was it stored, and how often was it served?
    set resp.http.X-Cache = "miss";
    if (obj.hits > 0) {
        set resp.http.X-Cache = "hit " + obj.hits;
    }
}
