import Domain
import Store

extension Appliance {
    /// How long a place is remembered. Sessions are kept for their 90 days and a week by default;
    /// where `auth.session_ttl` is shorter, so is this.
    private static let placesKept: Duration = .seconds(90 * 86_400)
    /// Sign-ins that are looked through: a program that signs in every minute is not read for ever.
    private static let placesMax = 200

    /// Tells the owner of a sign-in from a device and network that the account's sessions have not
    /// seen together; not of the first one, which is of whoever registered. For the transaction of
    /// the sign-in, before its session is inserted.
    func noticeDevice(
        of account: Account, _ db: any Connection, from origin: Origin, at now: Timestamp
    ) throws(Problem) {
        let address = origin.address?.description
        let recent = try db.sessions.places(
            of: account.id, since: now - Self.placesKept, atMost: Self.placesMax)
        // An old account that nobody has used for so long is not a new one.
        let isFirst = recent.isEmpty && now - account.createdAt < Self.placesKept
        guard !isFirst,
            !recent.contains(Device.Place(userAgent: origin.userAgent, address: address))
        else { return }
        let signIn = Occasion.SignIn(device: Device(userAgent: origin.userAgent), address: address)
        try post(.newDevice(signIn), to: account.email, db, at: now)
    }
}
