import Domain

extension Configuration {
    /// The host of the public URL, as mail names a host: an address stands in brackets
    /// (RFC 5321, 4.1.3).
    var mailHost: String {
        let authority = publicURL.drop { $0 != "/" }.drop { $0 == "/" }
        var host = String(authority.prefix { $0 != ":" })
        if authority.hasPrefix("[") {
            host = String(authority.dropFirst().prefix { $0 != "]" })
        }
        if let address = IPAddress(host) {
            return address.isV4 ? "[\(host)]" : "[IPv6:\(host)]"
        }
        // A name beyond ASCII goes through IDNA, as in an address.
        let ascii = EmailAddress("host@\(host)")?.description.drop { $0 != "@" }.dropFirst()
        return ascii.map(String.init) ?? host
    }

    /// What a mail server needs and is not there: keys that only fit together. Nil if all is well.
    var mailMistake: String? {
        guard mail.transport == "smtp" else { return nil }
        let smtp = mail.smtp
        if smtp.host.isEmpty { return "mail.smtp.host: expected the mail server's name" }
        if server.publicURL == nil {
            return "server.public_url: expected with mail.transport smtp; links in mails need it"
        }
        if MailSender(mail.from)?.isWorldWide != true {
            return "mail.from: expected an address that mail servers know, not one at localhost"
        }
        if smtp.username.isEmpty != smtp.password.text.isEmpty {
            return "mail.smtp.username and mail.smtp.password: expected both or neither"
        }
        // A password would be read by whoever is on the way.
        let isOnThisMachine =
            smtp.host == "localhost" || IPAddress(smtp.host)?.isLoopback == true
        if smtp.security == .none, !smtp.username.isEmpty, !isOnThisMachine {
            return "mail.smtp.security: expected starttls or tls, so that the password is encrypted"
        }
        return nil
    }
}
