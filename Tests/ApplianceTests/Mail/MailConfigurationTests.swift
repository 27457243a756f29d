import Testing

@testable import Appliance

@Suite("Configuration of mail")
struct MailConfigurationTests {
    private static func configuration(_ edit: (inout Configuration) -> Void) -> Configuration {
        var configuration = Configuration()
        configuration.mail.transport = "smtp"
        configuration.mail.from = "Acme <id@example.com>"
        configuration.mail.smtp.host = "mail.example.com"
        configuration.server.publicURL = "https://id.example.com"
        edit(&configuration)
        return configuration
    }

    @Test(
        "a host is named as mail names it",
        arguments: [
            ("https://id.example.com", "id.example.com"), ("http://a:8080", "a"),
            ("http://192.0.2.1:80", "[192.0.2.1]"), ("http://[2001:db8::1]", "[IPv6:2001:db8::1]"),
            ("https://bücher.example", "xn--bcher-kva.example"),
        ])
    func host(_ url: String, _ expected: String) {
        #expect(Self.configuration { $0.server.publicURL = url }.mailHost == expected)
    }

    @Test("what is missing for a mail server is named, and nothing is missing for a folder")
    func mistakes() {
        #expect(Self.configuration { _ in }.mailMistake == nil)
        #expect(Configuration().mailMistake == nil)
        let mistakes: [(String, (inout Configuration) -> Void)] = [
            ("mail.smtp.host", { $0.mail.smtp.host = "" }),
            ("server.public_url", { $0.server.publicURL = nil }),
            ("mail.from", { $0.mail.from = "id@localhost" }),
            ("mail.smtp.username", { $0.mail.smtp.password = Secret("a") }),
            ("mail.smtp.username", { $0.mail.smtp.username = "a" }),
            (
                "mail.smtp.security",
                {
                    $0.mail.smtp.username = "a"
                    $0.mail.smtp.password = Secret("a")
                    $0.mail.smtp.security = .none
                }
            ),
        ]
        for (name, edit) in mistakes {
            let mistake = Self.configuration(edit).mailMistake ?? ""
            #expect(mistake.hasPrefix(name), "\(name): \(mistake)")
        }
        let local = Self.configuration {
            $0.mail.smtp.host = "127.0.0.1"
            $0.mail.smtp.username = "a"
            $0.mail.smtp.password = Secret("a")
            $0.mail.smtp.security = .none
        }
        #expect(local.mailMistake == nil)
    }

    @Test("a password is shown as dots")
    func password() throws {
        let configuration = Self.configuration { $0.mail.smtp.password = Secret("hunter2") }
        #expect(!"\(configuration)".contains("hunter2"))
        let key = try #require(ConfigurationKey.all.first { $0.name == "mail.smtp.password" })
        #expect(key.shown(configuration) == "••")
    }
}
