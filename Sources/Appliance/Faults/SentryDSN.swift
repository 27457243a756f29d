import Domain

/// `https://KEY@HOST/PATH/PROJECT`, as Sentry gives it for a project.
package struct SentryDSN: Sendable, Equatable {
    let key: Secret
    let url: ReportURL

    package init?(_ text: String) {
        guard let scheme = ["https://", "http://"].first(where: text.hasPrefix),
            let at = text.firstIndex(of: "@"), let slash = text.lastIndex(of: "/"), at < slash
        else { return nil }
        // A second part behind a colon is from before 2018 and of no use to anybody.
        let key = text[..<at].dropFirst(scheme.count).prefix { $0 != ":" }
        let project = text[text.index(after: slash)...]
        guard !key.isEmpty, key.utf8.allSatisfy(Base62.isDigit), !project.isEmpty,
            project.utf8.allSatisfy(Base62.isDigit),
            let base = ReportURL(scheme + text[text.index(after: at)..<slash])
        else { return nil }
        self.key = Secret(String(key))
        url = base.appending("/api/\(project)/envelope/")
    }
}
