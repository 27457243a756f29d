import Domain
import HTTPTypes

extension Operation {
    static let listPlans = Operation(
        "listPlans", .plans, "The plans there are", parameters: .page,
        replies: [.list(Shapes.plan)])

    static let showSubscription = Operation(
        "showSubscription", .plans, "Your subscription",
        replies: [.shape(Shapes.subscription)], problems: [.notFound])

    static let subscribe = Operation(
        "subscribe", .plans, "Choose a plan",
        detail: "One with self_service. It holds from the next request on.",
        body: .json([.needed("plan", .words(max: Plan.slugMax, example: "free"))]),
        replies: [.shape(Shapes.subscription)])

    static let cancelSubscription = Operation(
        "cancelSubscription", .plans, "Cancel your subscription",
        replies: [.shape(Shapes.subscription)], problems: [.notFound])
}

extension Operation {
    static let showUsage = Operation(
        "showUsage", .usage, "What you have used, and what is left",
        replies: [.shape(Shapes.usageReport)])

    static let showUsageHistory = Operation(
        "showUsageHistory", .usage, "What you used of a metric, period by period",
        parameters: [
            .query("metric", .metric, "requests where it is left out."),
            .query("granularity", .words(Window.self), "day where it is left out."),
            .query("from", moment, "The first period, or a time within it."),
            .query("to", moment, "The last period, or a time within it."),
        ] + .format,
        replies: [
            Reply.json(
                Schema.object([.needed("items", .array(Shapes.usagePoint.schema))])
                    .named("UsageHistory")
            ).orCSV
        ])

    private static let moment = Schema.string(
        7...35, pattern: "^[0-9]{4}-[0-9]{2}", example: "2026-11")

    static let recordEvents = Operation(
        "recordEvents", .usage, "Report what was used",
        detail: """
            One event, or 1 to \(Appliance.eventsMax) of them. Each is counted once by its id, for \
            32 days, for user_id, or key_id, or whoever calls; admins report for everybody. Past a \
            limit it is counted all the same.
            """,
        body: .json(.either([event, .array(event, 1...Appliance.eventsMax)])),
        replies: [
            .json(
                .either([
                    Shapes.eventResult.schema,
                    Schema.object([.needed("items", .array(Shapes.eventResult.schema))])
                        .named("EventResults"),
                ]), "Counted, one result for each.")
        ])

    private static let event = Schema.object([
        .needed("id", .words(max: 128, example: "order-4711")),
        .needed("metric", .metric), .needed("value", .integer()), .optional("at", .time),
        .optional("user_id", .id), .optional("key_id", .id),
    ]).showing([
        "id": "order-4711", "metric": "requests", "value": 1,
    ]).named("Event")
}

extension Operation {
    static let reserve = Operation(
        "reserve", .service, "Set units of a quota aside",
        detail: "They are taken off now; what is not committed in time gives itself back.",
        body: .json([
            .needed("metric", .metric), .needed("amount", .integer()),
            .needed("ttl_seconds", .integer(Reservation.ttlSeconds, example: 60)),
        ]),
        replies: [Reply.shape(Shapes.reservation, .created, "Held.").located],
        problems: [.conflict], isMetered: true)

    static let commitReservation = Operation(
        "commitReservation", .service, "Count what a reservation came to",
        detail: "More than was reserved is allowed up to what remains. Again, it answers the same.",
        body: .json([.needed("amount", .integer())]),
        replies: [.shape(Shapes.reservation)], problems: [.reservationLost], isMetered: true)

    static let releaseReservation = Operation(
        "releaseReservation", .service, "Give a reservation back", replies: [.noContent],
        problems: [.reservationLost])

    static let takeLease = Operation(
        "takeLease", .service, "Take one of the places that a plan has at one time",
        body: .json([
            .needed("resource", .resource),
            .needed("ttl_seconds", .integer(Lease.ttlSeconds, example: 60)),
        ]),
        replies: [.shape(Shapes.lease, .created, "Held until expires_at.")],
        problems: [.conflict, .concurrencyExceeded], isMetered: true)

    static let renewLease = Operation(
        "renewLease", .service, "Keep a lease for longer",
        body: .json([
            .needed("fencing_token", .integer()),
            .needed("ttl_seconds", .integer(Lease.ttlSeconds, example: 60)),
        ]),
        replies: [.shape(Shapes.lease)], problems: [.leaseLost])

    static let releaseLease = Operation(
        "releaseLease", .service, "Give a lease back",
        detail: "fencing_token stands in the body, or in the query where DELETE has no body.",
        parameters: [.query("fencing_token", .integer(), "In place of the body's.")],
        body: .optional([.optional("fencing_token", .integer())]), replies: [.noContent],
        problems: [.leaseLost])
}
