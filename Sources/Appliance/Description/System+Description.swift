import Domain
import HTTPTypes

extension Operation {
    static let showHealth = Operation(
        "showHealth", .system, "The process lives", replies: [.shape(Shapes.health)])

    static let showReadiness = Operation(
        "showReadiness", .system, "The server can do its work",
        replies: [
            .shape(Shapes.readiness),
            .shape(Shapes.readiness, .serviceUnavailable, "Not now; the reasons say why."),
        ])

    static let showDescription = Operation(
        "showDescription", .system, "This description",
        replies: [
            Reply.json(.object([], isOpen: true))
                .with(.cacheControl, .string(example: "no-cache"), "Ask again, with the tag.")
                .with(.eTag, .string(example: "\"1f3a\""), "Of these bytes."),
            .unchanged,
        ])
}
