/* password.c - crypt(3) hashes, made and compared. */
#include "service/password.h"

#include <crypt.h>
#include <openssl/crypto.h>
#include <string.h>

#include "base/error.h"

char *
password_hash(const char *password, GError **error)
{
	char setting[CRYPT_GENSALT_OUTPUT_SIZE];
	struct crypt_data *data;
	char *hash = NULL;

	if (crypt_gensalt_rn("$y$", 0, NULL, 0, setting, sizeof setting) == NULL) {
		(void)error_set_errno(error, "cannot make a salt for the password");
		return NULL;
	}
	data = g_new0(struct crypt_data, 1);
	if (crypt_rn(password, setting, data, sizeof *data) != NULL)
		hash = g_strdup(data->output);
	else
		(void)error_set_errno(error, "cannot hash the password");
	OPENSSL_cleanse(data, sizeof *data);
	g_free(data);
	return hash;
}

bool
password_matches(const char *password, const char *hash)
{
	struct crypt_data *data = g_new0(struct crypt_data, 1);
	const char *made = crypt_rn(password, hash, data, sizeof *data);
	/* A stored "*" or "!" disables an account; crypt_rn() answers NULL for what is no hash. */
	const bool is_match = made != NULL && *made != '*' && strlen(made) == strlen(hash) &&
						  CRYPTO_memcmp(made, hash, strlen(hash)) == 0;

	OPENSSL_cleanse(data, sizeof *data);
	g_free(data);
	return is_match;
}

const char *
password_complaint(const char *password, int64_t least)
{
	if (!g_utf8_validate(password, -1, NULL))
		return "the password is not valid UTF-8";
	for (const char *c = password; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return "the password has a control character";
	if (g_utf8_strlen(password, -1) < least)
		return "the password is too short";
	if (strlen(password) >= CRYPT_MAX_PASSPHRASE_SIZE)
		return "the password is too long";
	return NULL;
}
