import Domain
import HTTPTypes

/// The description of the API (OpenAPI 3.1.1), made of the list of routes that is served.
///
/// Derived: paths, methods, who may call, the scopes of keys, idempotency, what a metered call
/// adds, the status and title of each problem (`Route`, `Problem.Code`), and the objects of answers
/// (`Shape` writes and describes them). Said once more, and held by tests: which fields a body has
/// (their bounds are the constants that `Form` reads with), query parameters, which problems an
/// operation adds to those that follow, and the three objects that are not written by a `Shape`:
/// problems, the gate's grant and the key set. The same routes make the same bytes.
enum OpenAPI {
    static func document(of routes: [Route]) -> JSON {
        var components = Components()
        var paths: [String: [JSON.Member]] = [:]
        for route in routes where route.operation.isOfAPI {
            paths[route.path, default: []].append(
                JSON.Member(
                    route.method.rawValue.lowercased(), route.description(&components)))
        }
        let sorted = paths.sorted { $0.key < $1.key }.map { path, operations in
            JSON.Member(path, .object(operations.sorted { $0.name < $1.name }))
        }
        return [
            "openapi": "3.1.1",
            "info": [
                "title": "Gatehouse", "version": .string(Gatehouse.version),
                "summary": "Sign-in, API keys, plans, limits and usage.",
                "description": .string(introduction),
            ],
            "servers": [["url": "/", "description": "The server that this comes from."]],
            "tags": .array(
                Operation.Tag.allCases.map { ["name": .string($0.rawValue)] }),
            "paths": .object(sorted),
            "components": components.json,
        ]
    }

    private static let introduction = """
        JSON in, JSON out, snake_case, UTF-8. Ids are UUIDv7; times are RFC 3339 in UTC. A body \
        with an unknown field is refused with 422. Every refusal is a Problem (RFC 9457): branch \
        on its code; errors names each field that was wrong. Every answer has X-Request-Id.

        Lists are read with ?limit= and ?cursor=: go on with next_cursor until it is null. A POST \
        that creates something honours Idempotency-Key.

        Credentials stand in a header: an access token as Authorization: Bearer, an API key as \
        X-API-Key or as Authorization: Bearer. HEAD is answered wherever GET is.

        Before an address is looked at, a request that is no HTTP/1.1 is refused with 400, one \
        whose address is over 8 KiB with 414, one whose head is too large with 431.
        """

    /// What operations refer to, gathered while they are written.
    struct Components {
        private var schemas: [String: JSON] = [:]
        private var refusals: [String: JSON] = [:]

        /// The schema as it stands where it is used.
        mutating func add(_ schema: Schema) -> JSON {
            schemas.merge(schema.named) { one, _ in one }
            return schema.json
        }

        func headers(_ headers: [Reply.Header]) -> JSON {
            let own = headers.map { header in
                JSON.Member(
                    header.name.rawName,
                    [
                        "description": .string(header.note), "required": .bool(header.isAlways),
                        "schema": header.schema.json, "example": header.schema.example,
                    ])
            }
            return .object(
                [JSON.Member("X-Request-Id", ["$ref": "#/components/headers/RequestId"])] + own)
        }

        /// The answer with that status to what is refused for one of these reasons: many operations
        /// have the same one, so it stands in one place.
        mutating func refusal(_ status: Int, _ codes: [Problem.Code], isMetered: Bool) -> JSON {
            let codes = codes.sorted { $0.rawValue < $1.rawValue }
            let words = codes.map(\.rawValue)
            // What is not metered is throttled, and says by which rule.
            let hasLimits = isMetered ? [402, 403, 429].contains(status) : status == 429
            let name =
                "\(status)-" + words.joined(separator: "-")
                + (isMetered && hasLimits ? "-metered" : "")
            if refusals[name] == nil {
                let problem = Problem.schema
                var headers: [Reply.Header] = []
                if status == 401 { headers.append(Problem.authenticate) }
                if status == 429 { headers.append(Problem.retryAfter(isAlways: true)) }
                if status == 503 { headers.append(Problem.retryAfter(isAlways: false)) }
                if hasLimits { headers += Reply.limitHeaders }
                let content: JSON = [
                    "schema": add(problem), "example": Problem.example(words[0], status),
                ]
                refusals[name] = [
                    "description": .string(
                        codes.map { "\($0.title): `\($0.rawValue)`." }.joined(separator: " ")),
                    "headers": self.headers(headers),
                    "content": ["application/problem+json": content],
                    "x-problem-codes": .array(words.map { .string($0) }),
                ]
            }
            return ["$ref": .string("#/components/responses/\(name)")]
        }

        var json: JSON {
            func sorted(_ members: [String: JSON]) -> JSON {
                .object(members.sorted { $0.key < $1.key }.map { JSON.Member($0, $1) })
            }
            return [
                "schemas": sorted(schemas), "responses": sorted(refusals),
                "headers": [
                    "RequestId": [
                        "description": "Of this request, for the operator: yours if it was valid.",
                        "required": true, "schema": ["type": "string"],
                        "example": "019361a4-8d5b-7c3e-9f21-6b0d8e4a7c15",
                    ]
                ],
                "securitySchemes": Self.schemes,
            ]
        }

        private static let schemes: JSON = [
            "accessToken": [
                "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                "description": "The access_token of POST /api/v1/auth/login.",
            ],
            "apiKey": [
                "type": "apiKey", "in": "header", "name": "X-API-Key",
                "description": "A key of POST /api/v1/api-keys, with the scopes that are listed.",
            ],
            "apiKeyAsBearer": [
                "type": "http", "scheme": "bearer", "description": "The same key.",
            ],
        ]
    }
}

extension Problem {
    /// RFC 9457, with our members. What a refused limit adds stands at its side.
    static let schema = Schema.object(
        [
            .needed("type", .string(example: "/problems/not_found")),
            .needed("title", .string()),
            .needed("status", .integer(400...599)),
            .needed("detail", .string()),
            .needed("code", .words(Code.self)),
            .needed("request_id", .string()),
            .needed(
                "errors",
                .array(
                    Schema.object([
                        .needed("field", .string()), .needed("code", .string()),
                        .needed("message", .string()),
                    ]).named("FieldError"))),
            .absentable("limit", .string().noted("Which limit refused it.")),
            .absentable("allowed", .integer()),
            .absentable("used", .integer()),
            .absentable("resets_at", Schema.time.orNull),
            .absentable("max_age", .integer().noted("How recent, in seconds, a sign-in must be.")),
        ]
    ).named("Problem")

    fileprivate static func example(_ code: String, _ status: Int) -> JSON {
        let title = Code(rawValue: code)?.title ?? ""
        return [
            "type": .string("/problems/\(code)"), "title": .string(title),
            "status": .integer(Int64(status)), "detail": .string("\(title)."),
            "code": .string(code), "request_id": "019361a4-8d5b-7c3e-9f21-6b0d8e4a7c15",
            "errors": [],
        ]
    }

    fileprivate static let authenticate = Reply.Header(
        name: .wwwAuthenticate, schema: .string(example: "Bearer"), note: "RFC 6750.",
        isAlways: true)

    fileprivate static func retryAfter(isAlways: Bool) -> Reply.Header {
        Reply.Header(
            name: .retryAfter, schema: .integer(1...31_622_400, example: 1),
            note: "Seconds after which it can succeed.", isAlways: isAlways)
    }
}
