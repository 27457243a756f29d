import Domain

/// Keeps the tokens of links that wait to be sent from being readable in the store: there they are
/// encrypted, with the key that lies in a file beside it (security T10, X2). A backup has both, so
/// what waited when it was made is sent after a restore.
struct MailSeal: Sendable {
    let keys: SealingKeys

    private static let context = "the link of a mail"

    func seal(_ secret: Secret) throws(Problem) -> String {
        Base64URL.encode(try keys.seal(Array(secret.text.utf8), context: Self.context))
    }

    /// Nil for what was sealed with another key, or by nobody.
    func open(_ text: String) -> Secret? {
        guard let sealed = Base64URL.decode(text.utf8) else { return nil }
        do throws(Problem) {
            let opened = try keys.open(sealed, context: Self.context)
            return Secret(String(decoding: opened, as: UTF8.self))
        } catch {
            return nil
        }
    }
}
