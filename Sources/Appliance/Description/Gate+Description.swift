import Domain
import HTTPTypes

extension Operation {
    /// Proxies ask with the method of the request they hold; all are the same question.
    static func gate(_ method: HTTPRequest.Method) -> Operation {
        let word = method.rawValue.prefix(1) + method.rawValue.dropFirst().lowercased()
        return Operation(
            "askGate\(word == "Get" ? "" : "With\(word)")", .gate,
            "May this request pass? Counts it if so",
            detail: """
                Checks the credential, its scope, the plan and every limit, and takes from all or \
                none. Works behind nginx auth_request, Caddy forward_auth and Traefik ForwardAuth; \
                every answer sets each identity header, empty where there is nothing.
                """,
            parameters: [
                .query("metric", .metric, "requests where it is left out."),
                .query("cost", .integer(0...Demand.costMax), "1 where it is left out."),
                .query("scope", .words(Scope.self), "Demanded beside gate."),
                .query(
                    "on_deny", .words(["403"]),
                    "402 and 429 become 403 with X-Gatehouse-Status, for nginx."),
            ],
            replies: [
                identity.reduce(.json(grant, "It may pass.")) { reply, field in
                    reply.with(field.name, .string(example: field.example), field.note)
                }
            ],
            problems: [.unauthorized, .forbidden, .insufficientScope], isMetered: true,
            credential: .scope(.gate), hasDisguise: true)
    }

    private static let identity: [(name: HTTPField.Name, example: String, note: String)] = [
        (.gatehouseUser, "019361a4-8d5b-7c3e-9f21-6b0d8e4a7c15", "The user's id."),
        (.gatehouseKey, "", "The key's id."),
        (.gatehousePlan, "free", "The plan's slug."),
        (.gatehouseRole, "user", "The user's role."),
        (.gatehouseScopes, "gate items:read", "The credential's scopes."),
    ]

    private static let grant = Schema.object([
        .needed("allowed", .boolean),
        .needed("user_id", .id),
        .needed("key_id", Schema.id.orNull),
        .needed("plan", Schema.slug.orNull),
        .needed("scopes", .array(.words(Scope.self))),
        .needed("limits", .array(limitState)),
    ]).named("Grant")

    private static let limitState = Schema.object([
        .needed("limit", .string(example: "requests_per_month")),
        .needed("allowed", .integer(example: 10_000)),
        .needed("used", .integer()),
        .needed("remaining", .integer(example: 9999)),
        .needed("resets_at", .time),
    ]).named("LimitState")
}

extension Operation {
    static let listItems = Operation(
        "listItems", .items, "Your items, the newest first", parameters: .page,
        replies: [.list(Shapes.item)], isMetered: true)

    static let createItem = Operation(
        "createItem", .items, "Make an item",
        body: .json([.needed("name", name), .absentable("data", data)]),
        replies: [Reply.shape(Shapes.item, .created, "The item.").located],
        problems: [.limitReached], isMetered: true)

    static let showItem = Operation(
        "showItem", .items, "One of your items", replies: [.shape(Shapes.item)], isMetered: true)

    static let updateItem = Operation(
        "updateItem", .items, "Change an item",
        body: .json([.optional("name", name), .absentable("data", data)]),
        replies: [.shape(Shapes.item)], isMetered: true)

    static let deleteItem = Operation(
        "deleteItem", .items, "Delete an item", replies: [.noContent], isMetered: true)

    private static let name = Schema.words(max: Item.nameMax, example: "A green thing")
    private static let data = Schema.any.noted("Any JSON, up to \(Item.dataBytesMax) bytes.")
}
