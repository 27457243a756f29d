/// What a sign-in came from, in a few known words: a client's description of itself is a stranger's
/// text and changes with each update, and neither belongs into a mail or a comparison.
package struct Device: Hashable, Sendable {
    /// Such as `Firefox`; nil when it is none that is known.
    package let program: String?
    /// Such as `Windows`.
    package let system: String?

    /// From a `User-Agent`. Nil gives a device without any name.
    package init(userAgent: String?) {
        let text = userAgent ?? ""
        program = Self.name(in: text, Self.programs)
        system = Self.name(in: text, Self.systems)
    }

    package init(program: String?, system: String?) {
        self.program = Self.programs.contains { $0.name == program } ? program : nil
        self.system = Self.systems.contains { $0.name == system } ? system : nil
    }

    /// In the order in which they are looked for: nearly every browser also claims to be Safari,
    /// and most to be Chrome.
    private static let programs: [(mark: String, name: String)] = [
        ("Edg", "Edge"), ("OPR/", "Opera"), ("Vivaldi", "Vivaldi"),
        ("SamsungBrowser", "Samsung Internet"), ("Firefox/", "Firefox"), ("FxiOS", "Firefox"),
        ("CriOS", "Chrome"), ("Chromium", "Chromium"), ("Chrome/", "Chrome"),
        ("Safari/", "Safari"), ("curl/", "curl"), ("Wget/", "Wget"),
        ("python", "a Python program"), ("Python", "a Python program"),
        ("Go-http-client", "a Go program"), ("okhttp", "an Android app"),
        ("node", "a Node.js program"), ("axios", "a Node.js program"), ("Java/", "a Java program"),
        ("PostmanRuntime", "Postman"),
    ]

    private static let systems: [(mark: String, name: String)] = [
        ("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("CrOS", "ChromeOS"),
        ("Windows", "Windows"), ("Macintosh", "macOS"), ("Mac OS X", "macOS"), ("Linux", "Linux"),
    ]

    private static func name(
        in text: String, _ known: [(mark: String, name: String)]
    ) -> String? {
        known.first { text.contains($0.mark) }?.name
    }
}

extension Device {
    /// A place that an account is signed in from: a device in a network. The network is what
    /// throttles go by: an IPv4 address, or 64 bits of an IPv6 address, whose rest changes daily.
    package struct Place: Hashable, Sendable {
        package let device: Device
        package let network: String?

        package init(userAgent: String?, address: String?) {
            device = Device(userAgent: userAgent)
            network = address.map { IPAddress($0)?.throttleKey ?? $0 }
        }
    }
}
