"""What each log event says, for docs/; `log_events` finds them in the code."""

from __future__ import annotations

from contract.text import Text

RECEIVER_EVENTS: dict[str, Text] = {
    "receiver_ready": Text("The server accepts connections.", "サーバーが接続の受け付けを開始しました。"),
    "draining": Text(
        "The server was told to stop; associations may finish.",
        "停止指示を受け、進行中のアソシエーションの完了を待っています。",
    ),
    "protection_capped": Text(
        "Associations have been open for an hour without a pause: scaling in and deployments may stop this "
        "server again, which drains.",
        "アソシエーションが1時間途切れなかったため、スケールインやデプロイによる停止を再び許可しました（停止時は受信の完了を待ちます）。",
    ),
    "protection_failed": Text(
        "The ECS agent did not protect this server from scaling in; `detail` is its answer. Images are safe: a "
        "server that is stopped drains.",
        "ECSエージェントによるスケールイン保護に失敗しました。応答は`detail`です。停止時は受信の完了を待つため、画像は失われません。",
    ),
    "receiver_stopped": Text(
        "The server has stopped; `sealed` tells whether every batch was closed by itself.",
        "サーバーが停止しました。`sealed`は全バッチを自ら締め切ったかを示します。",
    ),
    "association_accepted": Text("An association was accepted.", "アソシエーションを受け入れました。"),
    "association_rejected": Text(
        "An association was rejected; `reason` says why.",
        "アソシエーションを拒否しました。理由は`reason`です。",
    ),
    "association_aborted": Text(
        "An association ended otherwise than by a release; `reason` says why.",
        "アソシエーションが正常なリリース以外で終了しました。理由は`reason`です。",
    ),
    "association_closed": Text(
        "An association has ended, with its figures: stored, failed, refused, bytes.",
        "アソシエーションが終了しました。保存数・失敗数・拒否数・バイト数を含みます。",
    ),
    "association_failed": Text(
        "An error of this product ended an association.",
        "本製品の内部エラーでアソシエーションが終了しました。",
    ),
    "connection_cut": Text(
        "A connection was closed before there was an association; `reason` says why.",
        "アソシエーション確立前に接続を切断しました。理由は`reason`です。",
    ),
    "connection_failed": Text(
        "An error of this product closed a connection.", "本製品の内部エラーで接続を閉じました。"
    ),
    "accept_failed": Text(
        "The operating system could not hand over a connection.", "OSから接続を受け取れませんでした。"
    ),
    "instance_stored": Text(
        "An image was acknowledged (only at log level DEBUG).",
        "画像に成功を応答しました（ログレベルDEBUGのみ）。",
    ),
    "duplicate_answered": Text(
        "An image came again with the bytes that were stored a moment before: answered with Success.",
        "直前に保存した画像と同じ内容が再送されたため、成功を応答しました。",
    ),
    "instance_refused": Text(
        "An image was refused; `reason`, `status` and the sender say what and who.",
        "画像を拒否しました。`reason`・`status`・送信元を確認してください。",
    ),
    "refused_not_kept": Text(
        "A refused image could not be kept for examination; the device has it.",
        "拒否した画像を調査用に保存できませんでした。画像は機器側に残っています。",
    ),
    "store_failed": Text(
        "An image could not be stored and was answered A700; the device has it.",
        "画像を保存できず、A700を応答しました。画像は機器側に残っています。",
    ),
    "operation_refused": Text(
        "An operation that this server does not offer was refused.",
        "本サーバーが提供していない操作を拒否しました。",
    ),
    "batch_opened": Text("A batch was opened (DEBUG).", "バッチを開始しました（DEBUGのみ）。"),
    "batch_sealed": Text(
        "A batch was closed and handed to the import.", "バッチを締め切り、取り込みに渡しました。"
    ),
    "batch_sealed_elsewhere": Text(
        "Somebody else had closed the batch already; its images are safe.",
        "バッチは既に他の処理が締め切っていました。画像は保存されています。",
    ),
    "batch_seal_failed": Text(
        "A batch could not be closed yet; it is tried again without end.",
        "バッチの締め切りに失敗しました。成功するまで再試行します。",
    ),
    "batch_recovered": Text(
        "The batch of a process that died was taken over.",
        "異常終了したプロセスのバッチを引き継ぎました。",
    ),
    "recovery_failed": Text(
        "The batch of a process that died could not be taken over; Sweep does it.",
        "異常終了したプロセスのバッチを引き継げませんでした。Sweepが処理します。",
    ),
    "commitment_not_offered": Text(
        "A device proposed storage commitment, but StorageCommitmentPeers has no address for its AE title.",
        "ストレージコミットメントを提案した機器のAEタイトルがStorageCommitmentPeersに登録されていません。",
    ),
    "commitment_requested": Text(
        "A storage commitment request was kept and accepted.",
        "ストレージコミットメント要求を記録し、受け付けました。",
    ),
    "commitment_refused": Text(
        "A storage commitment request was refused; `status` and `detail` say why.",
        "ストレージコミットメント要求を拒否しました。理由は`status`と`detail`です。",
    ),
    "commitment_not_kept": Text(
        "A storage commitment request could not be kept; the device was told to ask again.",
        "ストレージコミットメント要求を記録できませんでした。機器に再要求を促しました。",
    ),
    "commitment_decided": Text(
        "What a request is answered is decided; `failed` and `reasons` say what is not committed to.",
        "応答内容が確定しました。確約できない画像数は`failed`、理由は`reasons`です。",
    ),
    "commitment_reported": Text(
        "A device answered a report on the association on which it had asked.",
        "要求元のアソシエーション上で、機器が応答を受け取りました。",
    ),
    "commitment_delivered": Text("A device has taken its answer.", "機器が応答を受け取りました。"),
    "commitment_not_delivered": Text(
        "An answer could not be delivered; it is tried again.", "応答を配信できませんでした。再試行します。"
    ),
    "commitment_given_up": Text(
        "An answer could not be delivered for three days; nobody tries any more.",
        "3日間配信できなかったため、応答の配信を中止しました。",
    ),
    "commitment_delayed": Text(
        "S3 or the ledger did not answer a question about a request; it is asked again.",
        "S3または台帳から回答を得られませんでした。再試行します。",
    ),
    "commitment_failed": Text(
        "An error of this product about one request; it is tried again, the others go on.",
        "1つの要求の処理で本製品の内部エラーが発生しました。再試行します。他の要求は影響を受けません。",
    ),
    "commitment_unreadable": Text(
        "What is kept of a request cannot be read.", "記録された要求を読み取れません。"
    ),
    "committer_ready": Text(
        "The process that answers storage commitment is ready.",
        "ストレージコミットメント処理プロセスの準備が完了しました。",
    ),
    "committer_died": Text(
        "The process that answers storage commitment died and is replaced.",
        "ストレージコミットメント処理プロセスが異常終了したため、再起動します。",
    ),
    "committer_not_started": Text(
        "It could not be started, for want of memory or descriptors; it is tried again, images go on.",
        "メモリ不足などで起動できませんでした。再試行します。画像の受信は続きます。",
    ),
    "committer_failed": Text("Why it ended.", "上記プロセスが終了した原因です。"),
    "worker_ready": Text("A process of the receiver is ready.", "受信プロセスの準備が完了しました。"),
    "worker_died": Text(
        "A process of the receiver died and is replaced.",
        "受信プロセスが異常終了したため、再起動します。",
    ),
    "worker_stuck": Text(
        "A process of the receiver did not answer and is replaced.",
        "受信プロセスが応答しないため、再起動します。",
    ),
    "worker_cannot_start": Text(
        "Processes of the receiver cannot start; the server stops and ECS starts another.",
        "受信プロセスを起動できません。サーバーは停止し、ECSが新しいサーバーを起動します。",
    ),
    "worker_boot_failed": Text("Why a process could not start.", "受信プロセスを起動できない原因です。"),
    "worker_failed": Text("Why a process ended.", "受信プロセスが終了した原因です。"),
    "parent_died": Text(
        "The main process is gone; this one closes its batches and ends.",
        "親プロセスが終了したため、バッチを締め切って終了します。",
    ),
    "unexpected_message": Text(
        "Two processes of the receiver misunderstood each other.",
        "受信プロセス間の通信に予期しない内容がありました。",
    ),
    "tick_failed": Text("A periodic task failed; it is tried again.", "定期処理に失敗しました。再試行します。"),
    "unhandled_exception": Text(
        "An error of this product that nobody foresaw.", "本製品の予期しない内部エラーです。"
    ),
    "metrics": Text("Figures for CloudWatch.", "CloudWatchに送る指標です。"),
}  # fmt: skip

IMPORTER_EVENTS: dict[str, Text] = {
    "batch_planned": Text(
        "A batch was divided into import jobs.", "バッチを取り込みジョブに割り当てました。"
    ),
    "import_job_started": Text("An import job was started.", "取り込みジョブを開始しました。"),
    "late_objects": Text(
        "Images that arrived after their batch was closed are imported too.",
        "バッチの締め切り後に届いた画像も取り込みます。",
    ),
    "manifest_unreadable": Text(
        "A batch's manifest cannot be read; its images are quarantined.",
        "バッチのマニフェストを読み取れないため、画像を隔離しました。",
    ),
    "landed_objects_missing": Text(
        "Images that were acknowledged are not where they landed: ask support at once.",
        "成功を応答した画像が保存先にありません。直ちにサポートに連絡してください。",
    ),
    "outcome_recorded": Text(
        "The outcome of an import job was recorded, image by image.",
        "取り込みジョブの結果を画像ごとに記録しました。",
    ),
    "outcome_ignored": Text(
        "An event of a job that is not this stack's, or known already.",
        "他のジョブ、または記録済みのジョブの通知を無視しました。",
    ),
    "job_not_ended": Text("A job was asked after and still runs.", "問い合わせた取り込みジョブは実行中でした。"),
    "uid_in_two_studies": Text(
        "A SOP Instance UID was received in two studies.",
        "同じSOP Instance UIDを2つの検査で受信しました。",
    ),
    "originals_marked": Text(
        "Originals of plainly imported images may expire.",
        "正常に取り込まれた画像の原本を期限切れ削除の対象にしました。",
    ),
    "originals_released": Text(
        "Originals may expire by an operator's word.",
        "運用担当者の指示で、原本を期限切れ削除の対象にしました。",
    ),
    "operator_asked": Text(
        "An operator's redrive or release, and its figures.",
        "運用担当者による再取り込みまたは原本の解放と、その件数です。",
    ),
    "swept": Text("Sweep has run, with its figures.", "Sweepを実行しました。件数を含みます。"),
    "hour_closed": Text(
        "Every image of an hour has its outcome.", "ある1時間分の全画像の結果が確定しました。"
    ),
    "sum_differs": Text(
        "The bucket and the ledger differ for a batch; it is looked after.",
        "バケットと台帳の画像数がバッチ単位で一致しません。自動的に調査します。",
    ),
    "batch_adopted": Text(
        "Sweep closed a batch in place of a server that is gone.",
        "停止したサーバーに代わり、Sweepがバッチを締め切りました。",
    ),
    "foreign_folder": Text(
        "Something that is not of this product lies among the images.",
        "画像の保存先に、本製品のものではないフォルダがあります。",
    ),
    "unsealed_folder": Text(
        "Images were found that no batch names: ask support.",
        "どのバッチにも属さない画像があります。サポートに連絡してください。",
    ),
    "full_proof_done": Text(
        "Every image was compared with the bucket.", "全画像とバケットの照合が完了しました。"
    ),
    "ledger_rebuilt": Text("The ledger was rebuilt.", "台帳を再構築しました。"),
    "message_failed": Text(
        "A message could not be handled and comes back; at INFO that is routine, at ERROR look at `reason`.",
        "メッセージを処理できず、後で再処理します。INFOなら通常の待機、ERRORなら`reason`を確認してください。",
    ),
    "message_not_postponed": Text(
        "A message could not be put off; the queue brings it back by itself.",
        "メッセージの延期に失敗しました。キューが自動的に再配信します。",
    ),
    "preflight_problem": Text(
        "What Preflight found, in two languages.", "Preflightが検出した問題です（2か国語）。"
    ),
    "preflight_not_checked": Text(
        "What Preflight could not look at; the stack goes on.",
        "Preflightが確認できなかった項目です。スタックの処理は続行します。",
    ),
    "preflight_answered": Text("Preflight has answered.", "Preflightが結果を返しました。"),
    "preflight_broken": Text(
        "Preflight itself failed; the stack goes on without it.",
        "Preflight自体が失敗しました。スタックの処理は続行します。",
    ),
}  # fmt: skip
