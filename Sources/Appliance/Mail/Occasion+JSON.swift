import Domain

/// An occasion as its job keeps it. A released name stays, since letters may wait under it.
extension Occasion {
    private var name: String {
        switch self {
        case .verification: "verification"
        case .addressTaken: "address_taken"
        case .reset: "reset"
        case .invitation: "invitation"
        case .passwordChanged: "password_changed"
        case .addressChanged: "address_changed"
        case .newDevice: "new_device"
        case .tokenReused: "token_reused"
        case .secondFactorOn: "second_factor_on"
        case .secondFactorOff: "second_factor_off"
        case .recoveryCodeUsed: "recovery_code_used"
        case .quotaNear: "quota_near"
        case .quotaReached: "quota_reached"
        }
    }

    func json(_ seal: MailSeal) throws(Problem) -> JSON {
        var members = [JSON.Member("name", .string(name))]
        switch self {
        case .verification(let token), .reset(let token):
            members.append(JSON.Member("token", .string(try seal.seal(token))))
        case .invitation(let token, let days):
            members.append(JSON.Member("token", .string(try seal.seal(token))))
            members.append(JSON.Member("days", .integer(days)))
        case .addressChanged(let address):
            members.append(JSON.Member("address", .string(address.description)))
        case .newDevice(let signIn):
            members += [
                JSON.Member("program", signIn.device.program.map(JSON.string) ?? .null),
                JSON.Member("system", signIn.device.system.map(JSON.string) ?? .null),
                JSON.Member("address", signIn.address.map(JSON.string) ?? .null),
            ]
        case .recoveryCodeUsed(let left): members.append(JSON.Member("left", .integer(left)))
        case .quotaNear(let use), .quotaReached(let use): members += use.members
        case .addressTaken, .passwordChanged, .tokenReused, .secondFactorOn, .secondFactorOff: break
        }
        return .object(members)
    }

    /// Nil for what no version of this program has written, and for a token that was sealed with a
    /// key that is gone.
    init?(json: JSON, _ seal: MailSeal) {
        let token = json.string("token").flatMap { seal.open($0) }
        let use = QuotaUse(json: json)
        let found: Occasion?
        switch json.string("name") {
        case "verification": found = token.map { .verification(token: $0) }
        case "address_taken": found = .addressTaken
        case "reset": found = token.map { .reset(token: $0) }
        case "invitation":
            let days = json.integer("days")
            found = token.flatMap { token in days.map { .invitation(token: token, days: $0) } }
        case "password_changed": found = .passwordChanged
        case "address_changed":
            found = json.string("address").map { .addressChanged(to: EmailAddress(canonical: $0)) }
        case "new_device":
            let device = Device(program: json.string("program"), system: json.string("system"))
            found = .newDevice(SignIn(device: device, address: json.string("address")))
        case "token_reused": found = .tokenReused
        case "second_factor_on": found = .secondFactorOn
        case "second_factor_off": found = .secondFactorOff
        case "recovery_code_used": found = json.integer("left").map { .recoveryCodeUsed(left: $0) }
        case "quota_near": found = use.map { .quotaNear($0) }
        case "quota_reached": found = use.map { .quotaReached($0) }
        default: found = nil
        }
        guard let found else { return nil }
        self = found
    }
}

extension QuotaUse {
    fileprivate var members: [JSON.Member] {
        [
            JSON.Member("metric", .string(metric)), JSON.Member("window", .string(window.rawValue)),
            JSON.Member("index", .integer(index)), JSON.Member("used", .integer(used)),
            JSON.Member("bound", .integer(bound)),
            JSON.Member("allows_overage", .bool(allowsOverage)),
        ]
    }

    fileprivate init?(json: JSON) {
        guard let metric = json.string("metric"),
            let window = json.string("window").flatMap({ Window(rawValue: $0) }),
            let index = json.integer("index"), let used = json.integer("used"),
            let bound = json.integer("bound"),
            case .bool(let allowsOverage)? = json["allows_overage"]
        else { return nil }
        self.init(
            metric: metric, window: window, index: index, used: used, bound: bound,
            allowsOverage: allowsOverage)
    }
}

extension JSON {
    fileprivate func string(_ name: String) -> String? {
        guard case .string(let text)? = self[name] else { return nil }
        return text
    }

    fileprivate func integer(_ name: String) -> Int64? {
        guard case .integer(let number)? = self[name] else { return nil }
        return number
    }
}
