"""Codes of what ends a connection or an association, or refuses one."""

# long: one entry for each code, nothing else.

from __future__ import annotations

from contract.reasons import WireReason as R
from template_gen.meanings.reason import (
    ASK_SUPPORT,
    CHECK_DEVICE,
    CHECK_LINE,
    Reason,
    reason,
)

CONNECTION_REASONS: dict[R, Reason] = {
    R.CONN_IDLE: reason(
        "closed / A-ABORT",
        (
            "Nothing came: 30 s after connecting, or for longer than `NetworkTimeout` between messages.",
            "接続後30秒間、またはメッセージ間で`NetworkTimeout`を超えて、何も届きませんでした。",
        ),
        (
            "Nothing, unless a device that pauses between images loses its association: raise `NetworkTimeout`.",
            "通常は対応不要です。画像と画像の間が長い機器で切断される場合は`NetworkTimeout`を増やしてください。",
        ),
    ),
    R.SLOWLORIS: reason(
        "A-ABORT / closed",
        (
            "A message came more slowly than any working line is, or stopped in the middle.",
            "メッセージの途中で受信が止まったか、極端に遅い速度で届きました。",
        ),
        CHECK_LINE,
    ),
    R.PDU_TOO_LONG: reason(
        "A-ABORT",
        (
            "The request for an association announces more than 1 MiB.",
            "アソシエーション要求が1 MiBを超える長さを宣言しました。",
        ),
        CHECK_DEVICE,
    ),
    R.PDU_OVER_MAX: reason(
        "A-ABORT",
        (
            "A PDU is longer than the maximum that was agreed.",
            "PDUが、合意した最大長を超えています。",
        ),
        CHECK_DEVICE,
    ),
    R.PDV_LEN: reason(
        "A-ABORT",
        (
            "The length of a fragment contradicts its PDU.",
            "PDVの長さがPDUの長さと矛盾しています。",
        ),
        CHECK_DEVICE,
    ),
    R.NOT_DICOM: reason(
        "A-ABORT",
        (
            "Another protocol speaks to the DICOM port: a browser, a scanner, or TLS where none is set up.",
            "DICOM以外の通信（ブラウザ、スキャナー、またはTLS未設定のポートへのTLS接続）が届きました。",
        ),
        (
            "From a device of yours: switch its TLS off, or give the stack `TLSCertificateARN`. From a stranger: narrow `PeerCIDR1` to `PeerCIDR3`.",
            "自院の機器であれば、機器のTLSを無効にするか`TLSCertificateARN`を設定してください。心当たりのない送信元であれば、`PeerCIDR1`～`PeerCIDR3`の範囲を狭めてください。",
        ),
    ),
    R.PDU_UNKNOWN: reason(
        "A-ABORT",
        ("A PDU of a type that DICOM does not have.", "DICOMに存在しない種類のPDUです。"),
        CHECK_DEVICE,
    ),
    R.PDU_UNEXPECTED: reason(
        "A-ABORT",
        (
            "A PDU that may not come at this point, for example data before there is an association.",
            "アソシエーション確立前のデータなど、順序の正しくないPDUです。",
        ),
        CHECK_DEVICE,
    ),
    R.PDU_INVALID: reason(
        "A-ABORT",
        ("A PDU that cannot be read.", "PDUの内容を解釈できません。"),
        CHECK_DEVICE,
    ),
    R.PROXY_HEADER: reason(
        "closed",
        (
            "The load balancer's header with the sender's address is missing or broken.",
            "送信元アドレスを伝えるロードバランサーのヘッダーがないか、壊れています。",
        ),
        (
            "Somebody reaches the servers past the load balancer, or the target group was changed by hand: set its attribute Proxy protocol v2 on again.",
            "ロードバランサーを経由しない接続か、ターゲットグループの手動変更が原因です。ターゲットグループの属性「プロキシプロトコル v2」をオンに戻してください。",
        ),
    ),
    R.TLS_PLAINTEXT: reason(
        "closed",
        (
            "A device speaks plain DICOM, or something else, to a server that takes TLS only.",
            "TLS専用のサーバーに、TLSでない通信（平文のDICOMなど）が届きました。",
        ),
        (
            "Switch the device's TLS on and give it a certificate.",
            "機器のTLSを有効にし、証明書を設定してください。",
        ),
    ),
    R.TLS_VERSION: reason(
        "TLS alert",
        (
            "The device speaks TLS 1.1 or older.",
            "機器がTLS 1.1以前を使用しています。",
        ),
        (
            "Set the device to TLS 1.2 or 1.3.",
            "機器をTLS 1.2または1.3に設定してください。",
        ),
    ),
    R.TLS_CIPHER: reason(
        "TLS alert",
        (
            "The device offers no cipher suite of BCP 195: ECDHE with AES-GCM.",
            "機器がBCP 195の暗号スイート（ECDHEとAES-GCM）に対応していません。",
        ),
        (
            "Enable these suites in the device, or update it.",
            "機器で該当の暗号スイートを有効にするか、機器を更新してください。",
        ),
    ),
    R.TLS_NO_CERTIFICATE: reason(
        "TLS alert",
        (
            "The device shows no certificate.",
            "機器が証明書を提示していません。",
        ),
        (
            "Install a certificate of `clientCA` in the device.",
            "`clientCA`が発行した証明書を機器に設定してください。",
        ),
    ),
    R.TLS_EXPIRED: reason(
        "TLS alert",
        (
            "The device's certificate has expired or is not valid yet.",
            "機器の証明書が期限切れ、またはまだ有効になっていません。",
        ),
        (
            "Renew it, and check the device's clock.",
            "証明書を更新し、機器の時計を確認してください。",
        ),
    ),
    R.TLS_UNKNOWN_CA: reason(
        "TLS alert",
        (
            "The device's certificate is issued by nobody that `clientCA` names.",
            "機器の証明書が、`clientCA`に含まれないCAから発行されています。",
        ),
        (
            "Add the issuer to `clientCA` and start the servers anew, or give the device another certificate.",
            "発行元を`clientCA`に追加してサーバーを再デプロイするか、機器の証明書を変更してください。",
        ),
    ),
    R.TLS_CERTIFICATE: reason(
        "TLS alert",
        (
            "The device's certificate cannot be used, for example because it is a server's; the detail says why.",
            "機器の証明書が使用できません（サーバー用の証明書など）。詳細はログのdetailにあります。",
        ),
        (
            "Issue one for TLS client authentication.",
            "TLSクライアント認証用の証明書を発行してください。",
        ),
    ),
    R.TLS_ALERT: reason(
        "closed",
        (
            "The device ended the handshake: it does not trust the servers' certificate, or asks for something else.",
            "機器がハンドシェイクを中断しました。サーバーの証明書を信頼していない可能性があります。",
        ),
        (
            "Give the device the CA of the servers' `certificate`; the detail is the device's own alert.",
            "サーバーの`certificate`を発行したCAを機器に登録してください。detailは機器からのアラートです。",
        ),
    ),
    R.TLS_STALL: reason(
        "closed",
        (
            "A TLS handshake did not end within 5 s.",
            "TLSハンドシェイクが5秒以内に完了しませんでした。",
        ),
        (
            "Look at the network between device and AWS if it happens often.",
            "頻発する場合は、機器とAWSの間のネットワークを確認してください。",
        ),
    ),
    R.TLS_HANDSHAKE: reason(
        "TLS alert / closed",
        (
            "The TLS handshake failed in another way; the detail is OpenSSL's name of it.",
            "その他の理由でTLSハンドシェイクに失敗しました。detailはOpenSSLのエラー名です。",
        ),
        (
            "Ask the device's vendor, with the log line.",
            "ログの該当行を添えて、機器ベンダーに問い合わせてください。",
        ),
    ),
    R.TLS_BROKEN: reason(
        "TLS alert",
        (
            "What came after the handshake was damaged or against the rules of TLS.",
            "ハンドシェイク後のTLS通信が破損しているか、規約に反しています。",
        ),
        (
            "Look at the network between device and AWS if it happens often.",
            "頻発する場合は、機器とAWSの間のネットワークを確認してください。",
        ),
    ),
    R.PROTO_VERSION: reason(
        "RJ 1,2,2",
        (
            "An unknown version of the upper layer protocol.",
            "未知の上位層プロトコルバージョンです。",
        ),
        CHECK_DEVICE,
    ),
    R.APP_CONTEXT: reason(
        "RJ 1,1,2",
        (
            "The application context is not DICOM's.",
            "アプリケーションコンテキスト名がDICOMのものではありません。",
        ),
        CHECK_DEVICE,
    ),
    R.AET_CALLED: reason(
        "RJ 1,1,7",
        (
            "`RequireCalledAETitle` is true and the device calls another AE title than `SCPAETitle`.",
            "`RequireCalledAETitle`がtrueで、Called AE Titleが`SCPAETitle`と一致しません。",
        ),
        (
            "Type the output `DICOMAETitle` into the device, capitals included.",
            "出力`DICOMAETitle`の値を、大文字・小文字も含めて機器に設定してください。",
        ),
    ),
    R.AET_CALLING: reason(
        "RJ 1,1,3",
        (
            "The device's own AE title is not in `RequireCallingAETitle`.",
            "機器のAEタイトル（Calling AE Title）が`RequireCallingAETitle`に含まれていません。",
        ),
        (
            "Add it to `RequireCallingAETitle` by an update of the stack, or correct the device.",
            "スタックを更新して`RequireCallingAETitle`に追加するか、機器の設定を修正してください。",
        ),
    ),
    R.AET_INVALID: reason(
        "RJ 1,1,3 / RJ 1,1,7",
        (
            "An AE title is empty or holds characters that DICOM does not allow.",
            "AEタイトルが空か、DICOMで許可されない文字を含んでいます。",
        ),
        (
            "Give the device a title of 1 to 16 Latin letters, digits, underscores or hyphens.",
            "機器のAEタイトルを、1～16文字の半角英数字・アンダースコア・ハイフンで設定してください。",
        ),
    ),
    R.AET_CERTIFICATE: reason(
        "RJ 1,1,3",
        (
            "`BindAETitleToCertificate` is true and the calling AE title is no common name (CN) of the device's certificate.",
            "`BindAETitleToCertificate`がtrueで、機器のAEタイトル（Calling AE Title）が機器の証明書のコモンネーム（CN）と一致しません。",
        ),
        (
            "Correct the device's AE title, or issue a certificate with that title as a CN.",
            "機器のAEタイトルを修正するか、そのタイトルをCNとする証明書を発行してください。",
        ),
    ),
    R.CX_BAD: reason(
        "A-ABORT",
        (
            "A proposed presentation context has a forbidden id, or no transfer syntax.",
            "提案されたプレゼンテーションコンテキストのIDが不正か、転送構文がありません。",
        ),
        CHECK_DEVICE,
    ),
    R.CX_MIX: reason(
        "A-ABORT",
        (
            "A command and its data came in different presentation contexts.",
            "コマンドとデータのプレゼンテーションコンテキストが異なります。",
        ),
        CHECK_DEVICE,
    ),
    R.CX_UNKNOWN: reason(
        "A-ABORT",
        (
            "The device uses a presentation context that was not accepted.",
            "受け入れていないプレゼンテーションコンテキストが使われました。",
        ),
        CHECK_DEVICE,
    ),
    R.LIMIT: reason(
        "RJ 2,3,2 / closed",
        (
            "`MaximumAssociations` are open on this server, or too many connections wait without a request.",
            "このサーバーのアソシエーション数が`MaximumAssociations`に達しているか、要求前の接続が多すぎます。",
        ),
        (
            "The device tries again by itself. If it happens daily, raise `TaskDesiredCount`.",
            "機器が自動的に再試行します。毎日発生する場合は`TaskDesiredCount`を増やしてください。",
        ),
    ),
    R.AET_LIMIT: reason(
        "RJ 2,3,2",
        (
            "This calling AE title has `MaximumAssociationsPerAETitle` open; or the server is nearly full, the title has its equal share, and the next place is kept for a device that was refused.",
            "この機器のAEタイトルのアソシエーション数が`MaximumAssociationsPerAETitle`に達しているか、サーバーがほぼ満杯で、次の空きが拒否された別の機器のために確保されています。",
        ),
        (
            "The device tries again by itself. Look at a device that opens associations and never releases them; if it is a router that needs them, raise `TaskDesiredCount`.",
            "機器が自動的に再試行します。アソシエーションを開いたまま解放しない機器がないか確認し、ルーター等で必要な数であれば`TaskDesiredCount`を増やしてください。",
        ),
    ),
    R.ADDRESS_LIMIT: reason(
        "RJ 2,3,2 / closed",
        (
            "As `aet_limit`, for the sender's IP address and `MaximumAssociationsPerAddress`; or more than 512 connections from it wait without a request.",
            "`aet_limit`と同様ですが、送信元IPアドレスと`MaximumAssociationsPerAddress`についてのものです。または、要求前の接続が同じアドレスから512を超えました。",
        ),
        (
            "The device tries again by itself. Behind one address there may be many devices: raise `MaximumAssociationsPerAddress`, or `TaskDesiredCount`.",
            "機器が自動的に再試行します。1つのアドレスの背後に多数の機器がある場合は`MaximumAssociationsPerAddress`または`TaskDesiredCount`を増やしてください。",
        ),
    ),
    R.DRAINING: reason(
        "RJ 2,3,1 / A-ABORT / 0xA700",
        (
            "This server stops: an update, a scale-in or maintenance of AWS. Others go on.",
            "更新・スケールイン・AWSのメンテナンスにより、このサーバーが停止処理中です。他のサーバーは稼働しています。",
        ),
        (
            "The device tries again and reaches another server.",
            "機器の再試行により、別のサーバーが受信します。",
        ),
    ),
    R.DIMSE_BAD: reason(
        "A-ABORT",
        ("A command that cannot be read.", "コマンドを解釈できません。"),
        CHECK_DEVICE,
    ),
    R.DIMSE_ORDER: reason(
        "A-ABORT",
        (
            "Commands and data are mixed up, or a command is far too long.",
            "コマンドとデータの順序が正しくないか、コマンドが長すぎます。",
        ),
        CHECK_DEVICE,
    ),
    R.OP_UNEXPECTED: reason(
        "0x0211 / A-ABORT",
        (
            "An operation that this server does not offer, for example C-FIND.",
            "C-FINDなど、このサーバーが提供していない操作です。",
        ),
        (
            "Use this server as a destination for storing only; images are queried in HealthImaging.",
            "本サーバーは画像の送信先としてのみ設定してください。検索・取得はHealthImagingで行います。",
        ),
    ),
    R.COMMITMENT_REFUSED: reason(
        "0x0110 / 0x0112 / 0x0115 / 0x0118 / 0x0123 / 0x0212 / 0x0213",
        (
            "A storage commitment request that cannot be read, is too large, or could not be kept.",
            "ストレージコミットメント要求を解釈できないか、大きすぎるか、記録できませんでした。",
        ),
        (
            "After 0x0110 the device asks again. After 0x0213 let it ask in smaller parts. Else ask its vendor.",
            "0x0110の場合は機器から再要求してください。0x0213の場合は分割して要求してください。それ以外は機器ベンダーに問い合わせてください。",
        ),
    ),
    R.ABORTED: reason(
        "closed",
        (
            "The device ended the association before it was released. What was acknowledged is stored.",
            "正常終了の前に、機器側がアソシエーションを切断しました。成功を応答済みの画像は保存されています。",
        ),
        CHECK_LINE,
    ),
    R.SEND_STALL: reason(
        "closed",
        (
            "The device did not take a response for 30 s.",
            "機器が30秒間、応答を受け取りませんでした。",
        ),
        CHECK_LINE,
    ),
    R.INTERNAL: reason(
        "0x0110 / 0xA700 / A-ABORT",
        (
            "An error of this product. The image was not acknowledged.",
            "本製品の内部エラーです。画像に成功は応答していません。",
        ),
        ASK_SUPPORT,
    ),
}
