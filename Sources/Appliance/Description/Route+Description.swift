import Domain
import HTTPTypes

// What follows from a route without anybody saying it.

extension Route {
    /// Every code that it can answer with.
    var problems: Set<Problem.Code> {
        var codes = operation.problems
        codes.formUnion([.internal, .unavailable, .overloaded])
        if isThrottled { codes.insert(.rateLimited) }
        if access != .open { codes.formUnion([.unauthorized, .forbidden, .insufficientScope]) }
        if !parameters.isEmpty { codes.insert(.validationFailed) }
        if path.contains("{") { codes.insert(.notFound) }
        if operation.body != nil {
            codes.formUnion([
                .invalidJSON, .unsupportedMediaType, .payloadTooLarge, .validationFailed,
            ])
        }
        if creates {
            codes.formUnion([
                .idempotencyMismatch, .idempotencyInProgress, .invalidJSON, .payloadTooLarge,
            ])
        }
        if operation.isMetered {
            codes.formUnion([.subscriptionRequired, .quotaExceeded, .rateLimited])
        }
        return codes
    }

    /// In the query and the headers.
    var parameters: [Operation.Parameter] {
        guard creates else { return operation.parameters }
        return operation.parameters + [
            Operation.Parameter(
                place: .header, name: HTTPField.Name.idempotencyKey.rawName,
                schema: .string(
                    1...IdempotencyTicket.keyMax, pattern: "^[\\x21-\\x7e]+$",
                    example: "0b9a6c1e-6a40-4f0e-9d6e-1f1f0c3a7d52"),
                note: "The same key and body within 24 hours have the same answer, made once.")
        ]
    }

    private var pathParameters: [Operation.Parameter] {
        path.split(separator: "/").filter { $0.hasPrefix("{") }.map { part in
            let name = String(part.dropFirst().dropLast())
            return Operation.Parameter(
                place: .path, name: name, schema: Self.pathSchema(name), note: "Which one.")
        }
    }

    private static func pathSchema(_ name: String) -> Schema {
        switch name {
        case "id": .id
        case "slug": .slug
        case "code": .words(Problem.Code.self)
        default: .string(1...255, pattern: "^[A-Za-z0-9._-]+$", example: "name")
        }
    }

    // MARK: As OpenAPI says it

    /// An Operation Object.
    func description(_ components: inout OpenAPI.Components) -> JSON {
        var members = [
            JSON.Member("operationId", .string(operation.id)),
            JSON.Member("tags", [.string(operation.tag.rawValue)]),
            JSON.Member("summary", .string(operation.summary)),
        ]
        if let detail = detail { members.append(JSON.Member("description", .string(detail))) }
        if deprecation != nil { members.append(JSON.Member("deprecated", true)) }
        let all = pathParameters + parameters
        if !all.isEmpty {
            members.append(
                JSON.Member("parameters", .array(all.map { $0.description(&components) })))
        }
        if let body = operation.body {
            let name = operation.id.prefix(1).uppercased() + operation.id.dropFirst() + "Request"
            members.append(JSON.Member("requestBody", body.description(&components, name)))
        }
        members.append(JSON.Member("responses", responses(&components)))
        members.append(JSON.Member("security", security))
        return .object(members)
    }

    private var detail: String? {
        let needed: String? =
            switch access {
            case .open, .user, .scope: nil
            case .adminRead: "For support and admins."
            case .adminWrite: "For admins."
            }
        let parts = [operation.detail, needed].compactMap { $0 }
        return parts.isEmpty ? nil : parts.joined(separator: " ")
    }

    /// Which of the schemes, and which scopes a key needs for it.
    private var security: JSON {
        func orKey(_ scope: Scope) -> JSON {
            let scopes: JSON = [.string(scope.rawValue)]
            return [["accessToken": []], ["apiKey": scopes], ["apiKeyAsBearer": scopes]]
        }
        switch operation.credential {
        case .optionalToken: return [.object([]), ["accessToken": []]]
        case .scope(let scope): return orKey(scope)
        case .ofRoute: break
        }
        switch access {
        case .open: return []
        case .user: return [["accessToken": []]]
        case .scope(let scope): return orKey(scope)
        case .adminRead: return orKey(.adminRead)
        case .adminWrite: return orKey(.adminWrite)
        }
    }

    private func responses(_ components: inout OpenAPI.Components) -> JSON {
        var byStatus: [Int: JSON] = [:]
        for reply in operation.replies {
            byStatus[reply.status.code] = reply.description(&components, of: self)
        }
        var refusals = Dictionary(grouping: problems) { $0.status.code }
        if operation.hasDisguise {
            refusals[403, default: []] += [402, 429].flatMap { refusals[$0] ?? [] }
        }
        for (status, codes) in refusals where byStatus[status] == nil {
            byStatus[status] = components.refusal(status, codes, isMetered: operation.isMetered)
        }
        // Under a name that is not its own the server answers nothing.
        byStatus[421] = components.refusal(421, [.validationFailed], isMetered: false)
        return .object(byStatus.sorted { $0.key < $1.key }.map { JSON.Member("\($0)", $1) })
    }
}

extension Operation.Parameter {
    /// With an example where it has to be there: Swagger UI fills in every example there is, and a
    /// call that is tried out should ask for no more than people ask for.
    func description(_ components: inout OpenAPI.Components) -> JSON {
        let isNeeded = place == .path
        let members = [
            JSON.Member("name", .string(name)), JSON.Member("in", .string(place.rawValue)),
            JSON.Member("description", .string(note)), JSON.Member("required", .bool(isNeeded)),
            JSON.Member("schema", components.add(schema)),
        ]
        return .object(members + (isNeeded ? [JSON.Member("example", schema.example)] : []))
    }
}

extension Operation.Body {
    /// Under a name of its own, which is what generated clients call it.
    func description(_ components: inout OpenAPI.Components, _ name: String) -> JSON {
        let media: JSON = [
            "schema": components.add(schema.named(name)), "example": schema.example,
        ]
        return ["required": .bool(isNeeded), "content": .object([JSON.Member(type, media)])]
    }
}

extension Reply {
    func description(_ components: inout OpenAPI.Components, of route: Route) -> JSON {
        var members = [JSON.Member("description", .string(note))]
        var fields = headers
        if route.operation.isMetered { fields += Reply.limitHeaders }
        if route.creates {
            fields.append(
                Header(
                    name: .idempotentReplayed, schema: .words(["true"]),
                    note: "This is the answer of the first such call.", isAlways: false))
        }
        if let deprecation = route.deprecation { fields += deprecation.described }
        members.append(JSON.Member("headers", components.headers(fields)))
        if !contents.isEmpty {
            var content: [JSON.Member] = []
            for (type, schema) in contents {
                content.append(
                    JSON.Member(
                        type, ["schema": components.add(schema), "example": schema.example]))
            }
            members.append(JSON.Member("content", .object(content)))
        }
        return .object(members)
    }

    /// Left out where no limit applies.
    static let limitHeaders = [
        Header(
            name: .rateLimitPolicy,
            schema: .string(
                example: #""requests_per_second";q=20;w=1, "requests_per_month";q=10000;w=2592000"#
            ),
            note: "Each limit that applies: its quota and its window in seconds.", isAlways: false),
        Header(
            name: .rateLimit,
            schema: .string(
                example: #""requests_per_second";r=19;t=1, "requests_per_month";r=9999;t=604800"#),
            note: "What is left of each, and for how many seconds.", isAlways: false),
    ]
}
