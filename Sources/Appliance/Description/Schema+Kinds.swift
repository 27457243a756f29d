import Domain

/// What texts and numbers look like on the wire: one for each kind that `Form` reads, with the
/// bounds that it holds them to.
extension Schema {
    static let id = string(
        36...36, pattern: "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", format: "uuid",
        example: "019361a4-8d5b-7c3e-9f21-6b0d8e4a7c15")

    /// RFC 3339. Ours have milliseconds and end in Z.
    static let time = string(format: "date-time", example: "2026-11-23T16:52:00.000Z")

    /// `Form.expiry`.
    static let future = time.noted("A time that is still to come.")
        .showing("2099-12-31T00:00:00.000Z")

    /// `Form.words`: as sent, so that spaces around it count.
    static func words(max: Int, example: String = "A name") -> Schema {
        string(1...max, pattern: safeText, example: example)
    }

    /// One character at least that is no space, and no control character. Characters that are
    /// invisible otherwise are refused as well, which no portable pattern can say.
    private static let safeText = #"^[^\u0000-\u001f\u007f-\u009f]*[^\u0000-\u0020\u007f-\u009f]"#

    static let email = string(
        3...EmailAddress.bytesMax, format: "email", example: "ann@example.com")

    /// `Form.password`. Bytes, not characters.
    static let password = string(
        0...PasswordHasher.bytesMax, format: "password", example: "correct horse battery staple")

    /// The same, for one that the policy has to pass as well: it has never fewer characters.
    static let newPassword = string(
        PasswordPolicy.lengthLeast...PasswordHasher.bytesMax, format: "password",
        example: "correct horse battery staple")

    /// `Form.token`.
    static let token = string(1...512, example: "ghr_4Yp0Qm7Zt1Vn8Rk3Xb6Wd9Gs2Hf5Jc0Lq7Ea4Tu1Oi8Py")

    /// `Form.word`: the name of a metric or a resource.
    static func word(_ example: String) -> Schema {
        string(1...Limit.Kind.wordMax, pattern: "^[a-z][a-z0-9]*(_[a-z0-9]+)*$", example: example)
    }

    static let metric = word("requests")
    static let resource = word("jobs")

    static let slug = string(
        1...Plan.slugMax, pattern: "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", example: "free")

    static let network = string(2...43, example: "10.0.0.0/8")

    /// A month, a day or an hour in UTC.
    static let period = string(
        pattern: "^[0-9]{4}-[0-9]{2}(-[0-9]{2}(T[0-9]{2})?)?$", example: "2026-11")

    static let cursor = string(1...2048, example: "MDE5MzYxYTQtOGQ1Yg")

    /// A span of whole seconds.
    static func seconds(_ example: Int64) -> Schema { integer(example: example) }

    /// `Limits`: the grammar of the names is a plan's.
    static let limits = Schema.map(
        of: limit,
        names: "^([a-z][a-z0-9_]*_(per_(second|minute|hour|day|month)|burst)"
            + "|(concurrent|max)_[a-z][a-z0-9_]*)$",
        countMax: Limits.countMax,
        example: [
            "requests_per_second": 20, "requests_per_month": ["limit": 10_000, "overage": "allow"],
            "concurrent_jobs": 3, "max_items": 100,
        ]
    ).noted(
        """
        <metric>_per_second and _per_minute are rates, <metric>_burst how much of a rate at once; \
        _per_hour, _per_day and _per_month are quotas; concurrent_<resource> and max_<resource> \
        bound what runs and what exists at one time. null is unlimited.
        """
    ).named("Limits")

    private static let limit = Schema.either([
        integer().orNull,
        object([
            .needed("limit", integer().orNull), .absentable("overage", .words(["deny", "allow"])),
        ]),
    ])
}
