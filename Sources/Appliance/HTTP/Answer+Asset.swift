import HTTPTypes

extension Call {
    /// The file in the best coding that the client takes, or 304 when it has that already.
    func asset(_ asset: Asset) -> Answer {
        let coding = asset.coding(taken: AcceptedCodings(request.headers))
        let tag = asset.entityTag(coding)
        let isKnown = EntityTags.match(tag, in: request.headers)
        var answer = isKnown ? Answer(.notModified) : Answer(.ok, body: asset.body(coding))
        answer.headers[.eTag] = tag
        answer.headers[.vary] = "Accept-Encoding"
        guard !isKnown else { return answer }
        answer.headers[.contentType] = asset.type
        if coding != .identity { answer.headers[.contentEncoding] = coding.rawValue }
        return answer
    }
}

extension Answer {
    /// For what a browser shows as a page: files of ours may be loaded, and nothing else; nothing
    /// inline runs (security H2).
    var asPage: Answer {
        with(
            .contentSecurityPolicy,
            """
            default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
            connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'
            """)
    }
}
